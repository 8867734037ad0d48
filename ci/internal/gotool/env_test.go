package gotool

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// spoiling are settings that users have for programs of their own, with the value
// that the lab's go command must see in their place.
var spoiling = []struct{ name, value, want string }{
	{"GOFLAGS", "-mod=vendor -tags=mine", "-mod=readonly -buildvcs=false"},
	{"GOOS", "plan9", runtime.GOOS},
	{"GOARCH", "386", runtime.GOARCH},
	{"GOAMD64", "v4", "v1"},
	{"GOARM64", "v9.5", "v8.0"},
	{"GOEXPERIMENT", "nogreenteagc", ","},
	{"GOFIPS140", "latest", "off"},
	{"CGO_ENABLED", "1", "0"},
	{"GO111MODULE", "off", "on"},
	{"GOWORK", "", "off"},
}

func needGo(t *testing.T) {
	t.Helper()
	if err := Installed(); err != nil {
		t.Skip(err)
	}
}

// A setting reaches the go command from the environment, or from the file that
// `go env -w` writes. Neither way may lead to another program.
func TestEnvOverridesTheUsersSettings(t *testing.T) {
	needGo(t)
	stored := filepath.Join(t.TempDir(), "env")
	var lines []string
	for _, s := range spoiling {
		if s.name != "GOWORK" && s.name != "GO111MODULE" { // a stored GO111MODULE=off would be no module at all
			lines = append(lines, s.name+"="+s.value)
		}
	}
	if err := os.WriteFile(stored, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"environment", "stored"} {
		t.Run(way, func(t *testing.T) {
			for _, s := range spoiling {
				if way == "environment" {
					t.Setenv(s.name, s.value)
				} else {
					t.Setenv(s.name, "")
				}
			}
			if way == "stored" {
				t.Setenv("GOENV", stored)
			}
			out, err := Output(t.Context(), t.TempDir(), "env", "-json")
			if err != nil {
				t.Fatalf("go env: %v\n%s", err, out)
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			for _, s := range spoiling {
				value, listed := got[s.name]
				if !listed { // of another processor
					continue
				}
				if value != s.want {
					t.Errorf("%s is %q, want %q", s.name, value, s.want)
				}
			}
		})
	}
}

func TestEnvPassesNetworkAndFolders(t *testing.T) {
	set := map[string]string{
		"GOPROXY": "http://127.0.0.1:1", "GOPRIVATE": "example.com", "GOCACHE": "/cache", "GOTOOLCHAIN": "local",
		"GOMAXPROCS": "1", "HTTPS_PROXY": "http://127.0.0.1:2", "GOOGLE_CLOUD_PROJECT": "mine",
	}
	dropped := []string{"GODEBUG", "GOSSAFUNC", "GOCOVERDIR", "CGO_LDFLAGS", "GO_EXTLINK_ENABLED"}
	for name, value := range set {
		t.Setenv(name, value)
	}
	for _, name := range dropped {
		t.Setenv(name, "x")
	}
	got := map[string]string{}
	for _, entry := range Env("GOCACHE=/other") {
		name, value, _ := strings.Cut(entry, "=")
		got[name] = value
	}
	set["GOCACHE"] = "/other" // given for this command, which wins
	for name, value := range set {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	for _, name := range dropped {
		if value, ok := got[name]; ok {
			t.Errorf("%s is passed on, as %q", name, value)
		}
	}
}

// A go.work above a checkout belongs to somebody's other modules, and makes
// `go build` refuse one that is not among them.
func TestRunBelowAForeignWorkspace(t *testing.T) {
	needGo(t)
	t.Setenv("GOWORK", "")
	above := t.TempDir()
	dir := filepath.Join(above, "module")
	for file, content := range map[string]string{
		"go.work":        "go 1.26.0\n\nuse ./other\n",
		"other/go.mod":   "module example.com/other\n\ngo 1.26.0\n",
		"module/go.mod":  "module example.com/module\n\ngo 1.26.0\n",
		"module/main.go": "package main\n\nfunc main() {}\n",
	} {
		file = filepath.Join(above, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(above, "program")
	var said []string
	err := Command{
		Dir: dir, Args: []string{"build", "-o", program, "."},
		Stderr: func(line string) { said = append(said, line) },
	}.Run(t.Context())
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, strings.Join(said, "\n"))
	}
	if _, err := buildinfo.ReadFile(program); err != nil {
		t.Error(err)
	}
}

func TestRunSaysHowToGetGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for what, err := range map[string]error{
		"Installed": Installed(),
		"Run":       Command{Args: []string{"version"}}.Run(t.Context()),
		"Output":    func() error { _, err := Output(t.Context(), "", "version"); return err }(),
	} {
		if !errors.Is(err, ErrNoGo) {
			t.Errorf("%s() = %v, want ErrNoGo", what, err)
		}
	}
}
