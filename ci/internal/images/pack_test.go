package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestPack(t *testing.T) {
	dir := t.TempDir()
	image, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(dir, "nameless.tar")
	if err := tarball.WriteToFile(from, nil, image); err != nil {
		t.Fatal(err)
	}
	img := Image{Name: "loki", Repository: "grafana/loki", Tag: "3.7.7"}
	a, err := Pack(from, img, filepath.Join(dir, "archives"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != want.String() || a.Tag != "grafana/loki:3.7.7" || filepath.Base(a.Path) != "loki.tar" {
		t.Errorf("Pack() = %+v, want the image %s as grafana/loki:3.7.7 in loki.tar", a, want)
	}

	broken := filepath.Join(dir, "broken.tar")
	if err := os.WriteFile(broken, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(broken, img, dir); err == nil || !strings.Contains(err.Error(), "broken.tar") {
		t.Errorf("Pack() of what is no archive = %v, want an error that names the file", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".loki*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
