// generate writes ../sdk.json: the versions of the runtime that each version of an SDK says
// it supports. It asks the SDK's own packages: the go line of the Go modules' go.mod, and
// engines.node of the npm packages. It needs go and npm, and the network.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
)

const (
	goSDK   = "go.opentelemetry.io/otel/sdk"
	nodeSDK = "@opentelemetry/sdk-trace-base"
)

func main() {
	out := flag.String("o", "sdk.json", "file to write")
	flag.Parse()
	if err := generate(*out); err != nil {
		log.Fatal(err)
	}
}

func generate(out string) error {
	golang, err := goVersions()
	if err != nil {
		return err
	}
	node, err := nodeVersions()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent([]score.SDK{
		{Language: "go", Source: "the go line in go.mod of " + goSDK, Supported: golang},
		{Language: "nodejs", Source: "engines.node of " + nodeSDK, Supported: node},
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}

// goVersions asks for each minor version: the go line does not change in a patch.
func goVersions() (map[string]string, error) {
	list, err := output("go", "list", "-m", "-versions", goSDK)
	if err != nil {
		return nil, err
	}
	supported := map[string]string{}
	for _, version := range strings.Fields(list)[1:] {
		if !strings.HasPrefix(version, "v1.") || !strings.HasSuffix(version, ".0") {
			continue
		}
		text, err := output("go", "list", "-m", "-json", goSDK+"@"+version)
		if err != nil {
			return nil, err
		}
		var module struct{ GoVersion string }
		if err := json.Unmarshal([]byte(text), &module); err != nil {
			return nil, err
		}
		minor := strings.TrimSuffix(strings.TrimPrefix(version, "v"), ".0")
		supported[minor] = ">=" + module.GoVersion
	}
	return supported, nil
}

func nodeVersions() (map[string]string, error) {
	text, err := output("npm", "view", nodeSDK+"@>=1", "version", "engines", "--json")
	if err != nil {
		return nil, err
	}
	var list []struct {
		Version string
		Engines struct{ Node string }
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	supported := map[string]string{}
	for _, p := range list {
		if parts := strings.Split(p.Version, "."); len(parts) == 3 && p.Engines.Node != "" {
			supported[parts[0]+"."+parts[1]] = p.Engines.Node
		}
	}
	return supported, nil
}

func output(name string, args ...string) (string, error) {
	var problems bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, problems.String())
	}
	return string(out), nil
}
