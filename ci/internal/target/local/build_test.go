package local

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// What a user has set for other programs, in the environment or for good with
// `go env -w`, makes no other services.
func TestBuildServicesIgnoresTheUsersSettings(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	stored := filepath.Join(t.TempDir(), "env")
	write(t, stored, "GOFLAGS=-mod=vendor -tags=mine\nGOOS=plan9\nGOARCH=386\nCGO_ENABLED=1\n")
	// A workspace of other modules, as one above the checkout would be.
	workspace := filepath.Join(t.TempDir(), "go.work")
	write(t, workspace, "go 1.26.0\n")
	for name, env := range map[string]map[string]string{
		"stored":      {"GOENV": stored, "GOFLAGS": "", "GOOS": "", "GOARCH": "", "CGO_ENABLED": ""},
		"environment": {"GOENV": "off", "GOFLAGS": "-mod=vendor -tags=mine", "GOOS": "plan9", "GOARCH": "386", "CGO_ENABLED": "1", "GOWORK": workspace},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range env {
				t.Setenv(name, value)
			}
			l := Open(Config{Files: smallCheckout(t), Dir: t.TempDir()})
			programs, err := l.services(t.Context())
			if err != nil {
				t.Fatalf("services() = %v", err)
			}
			info, err := buildinfo.ReadFile(programs[target.Frontend].built)
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{}
			for _, s := range info.Settings {
				settings[s.Key] = s.Value
			}
			if settings["GOOS"] != runtime.GOOS || settings["GOARCH"] != runtime.GOARCH || settings["CGO_ENABLED"] != "0" || settings["-tags"] != "" {
				t.Errorf("built with %v", settings)
			}
			if _, err := os.Stat(programs[target.Backend].built); err != nil {
				t.Error(err)
			}
		})
	}
}
