package stack

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
)

// checkout is the root of this checkout.
var checkout = filepath.Join("..", "..", "..")

func TestCheckedInPins(t *testing.T) {
	lock, err := images.Load(filepath.Join(checkout, "config", "images.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Root: checkout, Cache: t.TempDir(), Images: lock})
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	if got := len(s.Pins()); got != 4 {
		t.Fatalf("%d pins, want 4", got)
	}
	for _, pin := range s.Pins() {
		img, err := lock.Get(pin.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		// No module of Mimir's release is served, only of a commit before it.
		if pin.Name != images.Mimir && pin.Release != img.Tag {
			t.Errorf("%s: the source pin is %s, the image %s", pin.Name, pin.Release, img.Tag)
		}
		if !regexp.MustCompile(`^v?\d+\.\d+\.\d+(\+\S+)?$`).MatchString(pin.Release) {
			t.Errorf("%s: release %q", pin.Name, pin.Release)
		}
		data, err := os.ReadFile(filepath.Join(pin.Dir, "go.mod"))
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(data)) {
			if _, to, ok := strings.Cut(line, "=>"); ok && len(strings.Fields(to)) != 2 {
				t.Errorf("%s: a replacement that is not a pinned module: %s", pin.Name, line)
			}
		}
	}
}

func TestReadPin(t *testing.T) {
	sp := spec{name: "x", module: "example.com/x"}
	tests := []struct {
		name, gomod string
		want        Pin
		err         string
	}{
		{
			name:  "release",
			gomod: "module m\n\nrequire (\n\texample.com/other v9.0.0\n\texample.com/x v1.2.3\n)\n\ntool example.com/x/cmd/x\n",
			want:  Pin{Version: "v1.2.3", Release: "1.2.3", Package: "example.com/x/cmd/x"},
		},
		{
			name:  "one line, own main",
			gomod: "module m\n\nrequire example.com/x v1.2.3 // indirect\n\ntool example.com/xy/cmd/x\n",
			want:  Pin{Version: "v1.2.3", Release: "1.2.3", Package: "."},
		},
		{
			name:  "pseudo-version",
			gomod: "//lab:release 2.9.0 607c7fb69662\n\nmodule m\n\nrequire example.com/x v1.5.1-0.20251008140505-607c7fb69662\n",
			want:  Pin{Version: "v1.5.1-0.20251008140505-607c7fb69662", Release: "2.9.0", Package: "."},
		},
		{name: "no release", gomod: "module m\n\nrequire example.com/x v0.0.0-20251008140505-607c7fb69662\n", err: "say which release"},
		{name: "old release", gomod: "//lab:release 2.9.0 607c7fb69662\nmodule m\nrequire example.com/x v0.0.0-20251008140505-aaaaaaaaaaaa\n", err: "commit 607c7fb69662"},
		{name: "needless release", gomod: "//lab:release 2.9.0 607c7fb69662\nmodule m\nrequire example.com/x v2.9.0\n", err: "names itself"},
		{name: "not required", gomod: "module m\n\nrequire example.com/x/sub v1.0.0\n", err: "does not require example.com/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(tt.gomod), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := readPin(dir, sp)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), dir) {
					t.Errorf("readPin() = %v, want %q and the file in it", err, tt.err)
				}
				return
			}
			tt.want.Name, tt.want.Module, tt.want.Dir = sp.name, sp.module, dir
			if err != nil || got != tt.want {
				t.Errorf("readPin() = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}
