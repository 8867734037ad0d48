package stack

import (
	"archive/tar"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// archiveFixture is a fixture with an image of loki as a file, under a name and for an
// architecture, and with a registry that does not answer.
func archiveFixture(t *testing.T, tag, arch string, mode Mode) (*fixture, string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the programs in the images are for linux")
	}
	f := newFixture(t)
	f.mode, f.archives = mode, t.TempDir()
	img := platform(t, imageOf(t,
		[]tar.Header{regular("usr/bin/loki", "an older one")},
		[]tar.Header{regular("usr/bin/loki", staticELF())},
	), "linux", arch)
	ref, err := name.NewTag(tag)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(f.archives, "loki.tar")
	if err := tarball.WriteToFile(file, ref, img); err != nil {
		t.Fatal(err)
	}
	return f, file
}

// lockedTag is the name of loki's image in the lock of a fixture.
const lockedTag = "127.0.0.1:1/loki:9.9.9"

// A program comes out of its image in a file, and no registry is asked.
func TestProgramFromAnArchive(t *testing.T) {
	for _, mode := range []Mode{Auto, Images} {
		f, _ := archiveFixture(t, lockedTag, runtime.GOARCH, mode)
		set, err := f.resolve(t)
		if err != nil {
			t.Fatalf("%s: Resolve() = %v", mode, err)
		}
		p, _ := set.Program("loki")
		if content, err := os.ReadFile(p.Path); err != nil || string(content) != staticELF() {
			t.Errorf("%s: the program is %q, %v; want the upper layer's", mode, content, err)
		}
		if p.Source != Images || p.Version != "9.9.9" || !strings.Contains(set.Reason, f.archives) {
			t.Errorf("%s: %+v, %q", mode, p, set.Reason)
		}
		f.nothingHalf(t)
	}
}

// The image of another version, or for another processor, is no substitute.
func TestArchiveRefused(t *testing.T) {
	for name, c := range map[string]struct{ tag, arch, says string }{
		"another version": {"127.0.0.1:1/loki:9.9.8", runtime.GOARCH, "it is not " + lockedTag + " of the image lock"},
		"another machine": {lockedTag, "s390x", "it is for linux/s390x, not for linux/"},
	} {
		f, file := archiveFixture(t, c.tag, c.arch, Auto)
		_, err := f.resolve(t)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: the error is %v", name, err)
		}
		f.nothingHalf(t)
	}
	f, file := archiveFixture(t, lockedTag, runtime.GOARCH, Images)
	if err := os.WriteFile(file, []byte("no tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.resolve(t); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("no tar: the error is %v", err)
	}
}
