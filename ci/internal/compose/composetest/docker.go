// Package composetest is a stand-in for Docker's command, for tests of what lab check asks
// it. A test's own program is the stand-in: TestMain calls [Main].
package composetest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The variables by which the stand-in knows itself.
const (
	calls  = "COMPOSETEST_CALLS"
	config = "COMPOSETEST_CONFIG"
	fails  = "COMPOSETEST_FAILS"
	port   = "COMPOSETEST_PORT"
)

// Docker is what a stand-in answers.
type Docker struct {
	// Config is the JSON of `docker compose config`.
	Config string
	// Fails is the command that fails; "" is none, "version" is a Docker without compose.
	Fails string
	// Port is the answer of `docker compose port`.
	Port string
}

// Install puts a stand-in into the PATH of the test, and returns a function that returns
// what it was called with, a line for each call. Overlays have their content in the line.
func (d Docker) Install(t *testing.T) func() []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, name := t.TempDir(), "docker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "calls")
	for key, value := range map[string]string{
		calls: list, config: d.Config, fails: d.Fails, port: d.Port, "DOCKER_HOST": "",
		"PATH": dir + string(os.PathListSeparator) + os.Getenv("PATH"),
	} {
		t.Setenv(key, value)
	}
	return func() []string {
		raw, err := os.ReadFile(list)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(raw)), "\n")
	}
}

// Main answers as Docker does if this program is the stand-in, and ends it.
func Main() {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if name != "docker" || os.Getenv(calls) == "" {
		return
	}
	os.Exit(answer(os.Args[1:]))
}

func answer(args []string) int {
	command, line := "", []string{}
	for i, arg := range args {
		if strings.HasSuffix(arg, ".json") && args[i-1] == "--file" {
			raw, _ := os.ReadFile(arg)
			line = append(line, string(raw))
			continue
		}
		line = append(line, arg)
		for _, known := range []string{"config", "up", "down", "port", "run", "logs", "version", "network", "build"} {
			if command == "" && arg == known {
				command = arg
			}
		}
	}
	if command == "config" {
		given, _ := io.ReadAll(os.Stdin)
		line = append(line, string(given))
	}
	file, err := os.OpenFile(os.Getenv(calls), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintln(file, strings.Join(line, " "))
		err = file.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if command != "" && command == os.Getenv(fails) && (command != "version" || args[0] == "compose") {
		fmt.Fprintln(os.Stderr, "Pulling\nno such image")
		return 1
	}
	switch command {
	case "config":
		fmt.Println(os.Getenv(config))
	case "port":
		fmt.Println(os.Getenv(port))
	case "logs":
		fmt.Println("app started ok")
	case "network":
		fmt.Println("127.0.0.1")
	}
	return 0
}
