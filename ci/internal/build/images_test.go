package build

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
)

const testVersion = "v1.2.3-of-the-test"

// needBuilder skips the test when the modules of the builder cannot be had. A
// builder that does not compile is a failure, not a reason to skip.
func needBuilder(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds images; run without -short")
	}
	out, err := gotool.Output(t.Context(), filepath.Join(checkout, "ci", "ko"), "list", "-deps",
		"github.com/google/ko/pkg/build", "github.com/sigstore/cosign/v3/pkg/oci/walk", "sigs.k8s.io/yaml")
	if err != nil {
		t.Skipf("the builder's modules are not here; `go mod download -C ci/ko` fetches them (%v: %.300s)", err, out)
	}
}

// TestImages builds the real images, once from this checkout and once from a copy
// of it elsewhere in an environment that means ill, and looks into them.
func TestImages(t *testing.T) {
	needBuilder(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	base := baseLayout(t)
	o := Options{
		Root: checkout, Base: base, Platforms: []string{"linux/amd64"}, Out: filepath.Join(t.TempDir(), "out"), Version: testVersion,
		Publish: strings.TrimPrefix(server.URL, "http://") + "/team/lab",
	}
	built, err := Build(t.Context(), o)
	if err != nil {
		t.Fatalf("Build() = %v", err)
	}
	if len(built) != len(Names()) {
		t.Fatalf("Build() made %d images, want %v", len(built), Names())
	}
	for _, img := range built {
		t.Run(img.Name, func(t *testing.T) {
			inside := openArchive(t, img)
			checkConfig(t, img, inside)
			checkBinary(t, img, binary(t, img, inside))
			checkTarball(t, img)
			checkSBOM(t, o.Out, img)
			checkPublished(t, img)
		})
	}

	t.Run("from another directory", func(t *testing.T) {
		there := filepath.Join(t.TempDir(), "some where", "else")
		if err := copyCheckout(there, checkout); err != nil {
			t.Fatal(err)
		}
		for _, env := range []string{"GOFLAGS=-tags=other", "CGO_ENABLED=1", "GOAMD64=v3", "SOURCE_DATE_EPOCH=1700000000", "TZ=Asia/Tokyo", "GOEXPERIMENT=nojsonv2"} {
			name, value, _ := strings.Cut(env, "=")
			t.Setenv(name, value)
		}
		o := o
		o.Root, o.Out, o.Publish = there, filepath.Join(t.TempDir(), "out"), ""
		o.Base, o.baseAnew = pulled(t, strings.TrimPrefix(server.URL, "http://"), base), true
		again, err := Build(t.Context(), o)
		if err != nil {
			t.Fatalf("Build() = %v", err)
		}
		for _, d := range Compare(built, again) {
			t.Error(d)
		}
	})
}

// openArchive is the image in the OCI archive.
func openArchive(t *testing.T, img Image) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(unpacked(t, img.Archive))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != img.Digest {
		t.Fatalf("%s holds %v, want %s alone", img.Archive, m.Manifests, img.Digest)
	}
	inside, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return inside
}

func checkConfig(t *testing.T, img Image, inside v1.Image) {
	t.Helper()
	cfg, err := inside.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.OS != "linux" || cfg.Architecture != "amd64" {
		t.Errorf("it is for %s/%s", cfg.OS, cfg.Architecture)
	}
	if cfg.Config.User != "65532" {
		t.Errorf("user %q, want nonroot's number", cfg.Config.User)
	}
	if got, want := cfg.Config.Entrypoint, "/ko-app/"+img.Name; len(got) != 1 || got[0] != want || len(cfg.Config.Cmd) != 0 {
		t.Errorf("entrypoint %q %q, want %s", got, cfg.Config.Cmd, want)
	}
	if !cfg.Created.IsZero() && cfg.Created.Unix() != 0 {
		t.Errorf("created %s; the time of the build must not be in it", cfg.Created)
	}
	m, err := inside.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != 3 {
		t.Errorf("%d layers, want the base's, ko's data and the program", len(m.Layers))
	}
	if name := m.Annotations["org.opencontainers.image.base.name"]; !strings.HasPrefix(name, "oci-layout.invalid/base@sha256:") {
		t.Errorf("base image's name %q says where it was read", name)
	}
	if len(img.Platforms) != 1 || img.Platforms[0].ID != m.Config.Digest.String() || img.Platforms[0].Digest != img.Digest {
		t.Errorf("digests.json has the platforms %+v", img.Platforms)
	}
}

// binary is the program in the last layer.
func binary(t *testing.T, img Image, inside v1.Image) []byte {
	t.Helper()
	layers, err := inside.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := tarFiles(t, content)
	program, ok := files["/ko-app/"+img.Name]
	if !ok || len(files) != 1 || program.mode&0o111 != 0o111 {
		t.Fatalf("the last layer has %d files, want the program alone, executable by all", len(files))
	}
	return program.data
}

func checkBinary(t *testing.T, img Image, program []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if libs, err := f.ImportedLibraries(); err == nil && len(libs) > 0 {
		t.Errorf("it needs the libraries %v, and the base has none", libs)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	toolchain, err := pinnedToolchain(checkout)
	if err != nil || info.GoVersion != toolchain {
		t.Errorf("compiled by %s, want %s (%v)", info.GoVersion, toolchain, err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"CGO_ENABLED": "0", "-trimpath": "true", "GOAMD64": "v1", "vcs": "", "vcs.revision": "", "-tags": ""} {
		if settings[key] != want {
			t.Errorf("built with %s=%q, want %q", key, settings[key], want)
		}
	}
	root, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	home, _ := os.UserHomeDir()
	for _, path := range []string{root + "/", filepath.Join(home, "go") + "/", filepath.Join(home, ".cache"), os.TempDir() + "/ko"} {
		if bytes.Contains(program, []byte(path)) {
			t.Errorf("the path %s is in it", path)
		}
	}
	if img.Name != "lab" && !bytes.Contains(program, []byte(testVersion)) {
		t.Errorf("the version %s is not in it", testVersion)
	}
	if img.Name == "lab" && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		runs(t, program)
	}
}

// runs executes the lab's program with nothing around it, as in its container.
func runs(t *testing.T, program []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lab")
	if err := os.WriteFile(file, program, 0o700); err != nil { //nolint:gosec // it must be executable
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, "verify", "--help")
	cmd.Env, cmd.Dir = []string{}, t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Usage:")) {
		t.Errorf("lab verify --help: %v\n%s", err, out)
	}
}

func checkTarball(t *testing.T, img Image) {
	t.Helper()
	tag, err := name.NewTag(img.Tag)
	if err != nil {
		t.Fatal(err)
	}
	_, hex, _ := strings.Cut(img.Digest, ":")
	if want := "lgtm-lab/" + img.Name + ":sha256-" + hex[:12]; img.Tag != want {
		t.Errorf("tag %s, want %s", img.Tag, want)
	}
	loaded, err := tarball.ImageFromPath(img.Tarball, &tag)
	if err != nil {
		t.Fatalf("%s has no image %s: %v", img.Tarball, img.Tag, err)
	}
	id, err := loaded.ConfigName()
	if err != nil || id.String() != img.Platforms[0].ID || img.TarballPlatform != "linux/amd64" {
		t.Errorf("%s has the image %s for %s (%v), want %s", img.Tarball, id, img.TarballPlatform, err, img.Platforms[0].ID)
	}
}

func checkSBOM(t *testing.T, out string, img Image) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(out, "sbom", img.Name+"-linux-amd64.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sbom struct {
		Version  string `json:"spdxVersion"`
		Packages []struct{ Name string }
	}
	if err := json.Unmarshal(data, &sbom); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, p := range sbom.Packages {
		have[p.Name] = true
	}
	if sbom.Version == "" || !have[img.Digest] || !have["github.com/lgtm-lab/lgtm-lab"] || len(have) < 5 {
		t.Errorf("the SBOM (%s) lists %d packages and misses the image or the module", sbom.Version, len(have))
	}
}

// checkPublished asks the registry that the image was pushed to.
func checkPublished(t *testing.T, img Image) {
	t.Helper()
	ref, err := name.NewDigest(img.Reference)
	if err != nil || ref.DigestStr() != img.Digest {
		t.Fatalf("published as %q (%v), want the digest %s", img.Reference, err, img.Digest)
	}
	if _, err := remote.Image(ref); err != nil {
		t.Errorf("the registry does not have it: %v", err)
	}
	sbom := ref.Context().Tag(strings.Replace(img.Digest, ":", "-", 1) + ".sbom")
	if _, err := remote.Image(sbom); err != nil {
		t.Errorf("the registry does not have the SBOM %s: %v", sbom, err)
	}
}

// TestReproduceTellsWhatDiffers builds a checkout whose services have the time zone
// in them, which [Reproduce] changes from one build to the next. It borrows the
// user's compiler's cache, or it would take minutes.
func TestReproduceTellsWhatDiffers(t *testing.T) {
	needBuilder(t)
	cache, err := gotool.Output(t.Context(), "", "env", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "checkout")
	if err := copyCheckout(root, checkout); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(root, ".ko.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, ".ko.yaml"), strings.Replace(string(config), `"LAB_VERSION"`, `"TZ"`, 1))
	t.Setenv("TMPDIR", t.TempDir())
	_, err = Reproduce(t.Context(), Options{
		Root: root, Base: baseLayout(t), Platforms: []string{"linux/amd64"}, gocache: strings.TrimSpace(cache),
	})
	differ, ok := errors.AsType[*NotReproducible](err)
	if !ok {
		t.Fatalf("Reproduce() = %v, want *NotReproducible", err)
	}
	var got []string
	for _, d := range differ.Differences {
		got = append(got, strings.TrimSpace(d.Name+" "+d.Platform))
		if !strings.Contains(err.Error(), d.First) || !strings.Contains(err.Error(), d.Second) {
			t.Errorf("Reproduce() = %v, and does not say %s", err, d)
		}
	}
	// The lab shows no version, but Go's build ID covers what the linker was told.
	if want := "backend, backend linux/amd64, frontend, frontend linux/amd64, lab, lab linux/amd64"; strings.Join(got, ", ") != want {
		t.Errorf("%q differ, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(differ.Dir, "second", "out", DigestsFile)); err != nil {
		t.Errorf("what differs was not kept for a look: %v", err)
	}
}

func TestBuildSaysWhatIsWrong(t *testing.T) {
	needBuilder(t)
	base := baseLayout(t)
	broken := filepath.Join(t.TempDir(), "checkout")
	if err := copyCheckout(broken, checkout); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(broken, "services", "frontend", "broken.go"), "package main\n\nvar _ int = `not a number`\n")
	tests := []struct {
		name string
		o    Options
		want []string
	}{
		{"code that does not compile", Options{Root: broken, Base: base, Platforms: []string{"linux/amd64"}}, []string{"frontend", "broken.go:3"}},
		{"a platform that the base lacks", Options{Root: checkout, Base: base, Platforms: []string{"linux/amd64", "linux/s390x"}}, []string{"linux/s390x", "linux/arm64"}},
		{"a base that is no layout", Options{Root: checkout, Base: t.TempDir()}, []string{"base image", "not an OCI layout"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Out = t.TempDir()
			_, err := Build(t.Context(), tt.o)
			if err == nil || errors.Is(err, ErrNoBuilder) {
				t.Fatalf("Build() = %v, want an error of the builder", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Build() = %v, want %q in it", err, want)
				}
			}
			if _, err := os.Stat(filepath.Join(tt.o.Out, DigestsFile)); err == nil {
				t.Error("a build that failed left a list of digests")
			}
		})
	}
}

func TestBuildWithoutABuilder(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, ".ko.yaml"), "defaultEnv:\n  - GOTOOLCHAIN="+runtime.Version()+"\n")
	write(t, filepath.Join(root, "ci", "ko", "go.mod"), "module x\n\ngo 1.26\n")
	write(t, filepath.Join(root, "ci", "ko", "main.go"), "package main\n\nfunc main() { undefined() }\n")
	_, err := Build(t.Context(), Options{Root: root, Out: t.TempDir()})
	if !errors.Is(err, ErrNoBuilder) || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("Build() = %v, want ErrNoBuilder and what the compiler said", err)
	}
}

func TestBuildCancelled(t *testing.T) {
	needBuilder(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	o := Options{Root: checkout, Base: baseLayout(t), Platforms: []string{"linux/amd64"}, Out: t.TempDir()}
	// The builder has begun with the first image and hears of it by its standard
	// input alone.
	o.Progress = func(line string) {
		if strings.HasPrefix(line, "Building ") {
			cancel(why)
		}
		if strings.Contains(line, " is sha256:") {
			t.Errorf("the builder went on: %s", line)
		}
	}
	if _, err := Build(ctx, o); !errors.Is(err, why) {
		t.Errorf("Build() = %v, want the cause of the cancellation", err)
	}
	if _, err := os.Stat(filepath.Join(o.Out, DigestsFile)); err == nil {
		t.Error("the cancelled build left a list of digests")
	}
}
