package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// config is the part of .ko.yaml that this program and the ko command both read.
type config struct {
	Base      string   `json:"defaultBaseImage"`
	Platforms []string `json:"defaultPlatforms"`
	Env       []string `json:"defaultEnv"`
	Flags     []string `json:"defaultFlags"`
	Ldflags   []string `json:"defaultLdflags"`
}

// readConfig reads a .ko.yaml. A member that this program does not know is an error: the
// ko command would act on it, and the images would differ.
func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, err
	}
	var c config
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return config{}, fmt.Errorf("%s: %w", path, err)
	}
	if c.Base == "" || len(c.Platforms) == 0 {
		return config{}, fmt.Errorf("%s: defaultBaseImage and defaultPlatforms must be there", path)
	}
	// "GOTOOLCHAIN=go1.26.8", not "auto": the compiler decides the bytes.
	pinned := func(v string) bool { return strings.HasPrefix(v, "GOTOOLCHAIN=go1.") }
	if !slices.ContainsFunc(c.Env, pinned) {
		return config{}, fmt.Errorf("%s: %w", path, errors.New("defaultEnv has no GOTOOLCHAIN=go1.…, so the Go version is not pinned"))
	}
	return c, nil
}

// apply makes the environment of this process that of every go command. The listing of
// packages and the compiler must agree, and settings that a person or a CI runner has
// made for other builds must not reach ours.
func (c config) apply(o options) error {
	for _, name := range []string{
		"GOOS", "GOARCH", "GOARM", "GOEXPERIMENT", "GOGCCFLAGS", "GOTMPDIR", "KOCACHE", "KO_GO_PATH", "SOURCE_DATE_EPOCH", "KO_DATA_DATE_EPOCH",
	} {
		os.Unsetenv(name)
	}
	for _, entry := range c.Env {
		name, value, _ := strings.Cut(entry, "=")
		os.Setenv(name, value)
	}
	os.Setenv("LAB_VERSION", o.version)
	if o.gocache != "" {
		os.Setenv("GOCACHE", o.gocache)
	}
	if o.cache == "" {
		return nil
	}
	// The go command moves a finished binary from its own directory to the cache.
	// On one file system that is a renaming; else it is a copy, and half a copy,
	// left by a build that was killed, would look finished to the next one.
	tmp := filepath.Join(o.cache, "tmp")
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return err
	}
	os.Setenv("GOTMPDIR", tmp)
	os.Setenv("KOCACHE", filepath.Join(o.cache, builderKey()))
	return nil
}

// builderKey stands for this program's Go and libraries. They decide how a layer
// is compressed, and ko keeps the digests of compressed layers in its cache.
func builderKey() string {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			fmt.Fprintln(h, m.Path, m.Version)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// koVersion is written into the SBOMs, as that of the tool that made them.
func koVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/google/ko" {
				return m.Version
			}
		}
	}
	return "(unknown)"
}
