package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lab runs the program with a command line; the working directory is in the
// checkout.
func lab(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	getenv := func(name string) string {
		if name == "LAB_DIR" {
			return filepath.Join(t.TempDir(), "lab")
		}
		return ""
	}
	code = run(t.Context(), args, getenv, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestImagesList(t *testing.T) {
	code, out, _ := lab(t, "images", "list", "-o", "json")
	var list struct{ Images map[string]string }
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if ref := list.Images["loki"]; !strings.HasPrefix(ref, "grafana/loki:") || !strings.Contains(ref, "@sha256:") {
		t.Errorf("loki is %q", ref)
	}
	code, out, _ = lab(t, "images", "list")
	if rows := strings.Count(out, "\n"); code != 0 || rows != len(list.Images)+1 {
		t.Errorf("exit %d, a table of %d rows for %d images", code, rows, len(list.Images))
	}
}

func TestImagesWrongCommandLines(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "images.json")
	if err := os.WriteFile(broken, []byte(`{"images": {"loki": "grafana/loki:3.7.7"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"format", []string{"list", "-o", "yaml"}, 2, "table, json"},
		{"argument", []string{"check", "loki"}, 2, "no arguments"},
		{"flag", []string{"pull", "--nope"}, 2, "--nope"},
		{"unknown image", []string{"pull", "prometheus"}, 1, "not in the image lock"},
		{"platform to pull", []string{"pull", "loki", "--platform", "amd64"}, 1, "os/architecture"},
		{"no such lock", []string{"list", "--images", filepath.Join(t.TempDir(), "absent")}, 1, "absent"},
		{"lock that is not pinned", []string{"check", "--images", broken}, 1, `"loki": "grafana/loki:3.7.7" is not pinned`},
		{"base", []string{"build", "--base", "./absent"}, 1, "neither an OCI layout"},
		{"platform to build", []string{"build", "--platform", "amd64"}, 1, "os/architecture"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, stderr := lab(t, append([]string{"images"}, tt.args...)...)
			if code != tt.code || !strings.Contains(stderr, tt.want) || out != "" {
				t.Errorf("exit %d, want %d; it says %q and prints %q, want %q", code, tt.code, stderr, out, tt.want)
			}
		})
	}
}
