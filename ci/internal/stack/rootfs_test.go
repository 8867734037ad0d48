package stack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// unpack applies layers to a new root and returns its directory. What is next to
// the root must stay as it was.
func unpack(t *testing.T, l limits, layers ...[]byte) (string, error) {
	t.Helper()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "precious"), []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := newRootfs(filepath.Join(outside, "rootfs"), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(root.close)
	for _, data := range layers {
		blob := filepath.Join(t.TempDir(), "blob")
		if err := os.WriteFile(blob, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err = root.apply(t.Context(), blob); err != nil {
			break
		}
	}
	content, readErr := os.ReadFile(filepath.Join(outside, "precious"))
	entries, _ := os.ReadDir(outside)
	if readErr != nil || string(content) != "untouched" || len(entries) != 2 {
		t.Fatalf("something outside of the root was changed: %q, %v, %v", content, readErr, entries)
	}
	// No link that is left leads outside, however it is followed.
	walkErr := filepath.WalkDir(root.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink == 0 {
			return err
		}
		if real, err := filepath.EvalSymlinks(path); err == nil && real != root.dir && !strings.HasPrefix(real, root.dir+"/") {
			t.Errorf("%s leads to %s", path, real)
		}
		return nil
	})
	if walkErr != nil {
		t.Fatal(walkErr)
	}
	return root.dir, err
}

func unixOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("images are unpacked on Linux only")
	}
}

func TestHostileLayers(t *testing.T) {
	unixOnly(t)
	hardlink := func(name, target string) tar.Header {
		return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
	}
	tests := []struct {
		name    string
		headers []tar.Header
		err     string // empty: harmless, and accepted
	}{
		{"dots", []tar.Header{regular("../precious", "x")}, "leads out"},
		{"dots inside", []tar.Header{regular("a/../../precious", "x")}, "leads out"},
		{"absolute", []tar.Header{regular("/precious", "x")}, ""},
		{"through a link", []tar.Header{symlink("up", ".."), regular("up/precious", "x")}, ""},
		{"through an absolute link", []tar.Header{regular("etc/a", ""), symlink("e", "/etc"), regular("e/lab-hostile", "x")}, ""},
		{"through a link to itself", []tar.Header{symlink("etc", "/etc"), regular("etc/lab-hostile", "x")}, "too many levels of symbolic links"},
		{"through two links", []tar.Header{symlink("a", "b/../.."), symlink("b", "a/.."), regular("a/precious", "x")}, ""},
		{"over a link", []tar.Header{symlink("f", "../precious"), regular("f", "x")}, ""},
		{"link from deep below", []tar.Header{symlink("p", "a/b"), regular("a/b/c", ""), symlink("p/l", "../../../../precious")}, ""},
		{"hard link to outside", []tar.Header{hardlink("f", "../precious")}, "leads out"},
		{"hard link through a link", []tar.Header{symlink("up", "/.."), hardlink("f", "up/precious")}, "no such file"},
		{"hard link to a link", []tar.Header{regular("a/x", ""), symlink("a/l", "../precious"), hardlink("l", "a/l")}, ""},
		{"hard link to a directory", []tar.Header{regular("a/b", ""), hardlink("l", "a")}, "not a file"},
		{"whiteout of outside", []tar.Header{regular(".wh...", "")}, "leads out"},
		{"whiteout through a link", []tar.Header{symlink("up", ".."), regular("up/.wh.precious", "")}, ""},
		{"whiteout of the root", []tar.Header{regular(".wh..", "")}, ""},
		{"opaque through a link", []tar.Header{symlink("up", "/.."), regular("up/.wh..wh..opq", "")}, ""},
		{"device", []tar.Header{{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}, {Typeflag: tar.TypeChar, Name: "mem", Devmajor: 1, Devminor: 1}}, ""},
		{"pipe", []tar.Header{{Typeflag: tar.TypeFifo, Name: "pipe"}}, ""},
		{"file as a directory", []tar.Header{regular("f", ""), regular("f/g", "")}, "file exists"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := unpack(t, defaultLimits, tarOf(t, tt.headers))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("apply() = %v, want %q", err, tt.err)
			}
			_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
					t.Errorf("%s is neither file, directory nor link: %v", path, d.Type())
				}
				return err
			})
			if _, err := os.Stat("/etc/lab-hostile"); err == nil {
				t.Error("wrote to this machine's /etc")
			}
		})
	}
}

func TestLimits(t *testing.T) {
	unixOnly(t)
	small := limits{bytes: 8 << 10, entries: 3}
	little := tarOf(t, []tar.Header{regular("f", strings.Repeat("x", 2<<10))})
	zeros := tarOf(t, []tar.Header{regular("f", strings.Repeat("\x00", 64<<10))})
	many := tarOf(t, []tar.Header{regular("a", ""), regular("b", ""), regular("c", ""), regular("d", "")})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(zeros)
	_ = z.Close()
	if bomb.Len() > 1<<10 {
		t.Fatalf("the bomb is not small: %d bytes", bomb.Len())
	}
	for _, tt := range []struct {
		name   string
		layers [][]byte
		err    string
	}{
		{"within", [][]byte{little}, ""},
		{"bytes", [][]byte{zeros}, "larger than 8 KiB"},
		{"compressed bytes", [][]byte{bomb.Bytes()}, "larger than 8 KiB"},
		{"bytes of all layers", [][]byte{little, little, little}, "larger than 8 KiB"},
		{"entries", [][]byte{many}, "more than 3 files"},
		{"truncated", [][]byte{little[:700]}, "unexpected EOF"},
		{"truncated gzip", [][]byte{bomb.Bytes()[:40]}, "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := unpack(t, small, tt.layers...)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("apply() = %v, want %q", err, tt.err)
			}
		})
	}
}

func TestLayersOnTopOfEachOther(t *testing.T) {
	unixOnly(t)
	dir, err := unpack(t, defaultLimits,
		tarOf(t, []tar.Header{
			{Typeflag: tar.TypeDir, Name: "usr/bin/", Mode: 0o555},
			symlink("bin", "usr/bin"),
			symlink("abs", "/usr/bin/kept"),
			symlink("usr/bin/rel", "../../etc/./a"),
			regular("usr/bin/kept", "1"), regular("usr/bin/gone", "1"), regular("usr/bin/changed", "1"),
			regular("etc/a", "1"), regular("var/old/a", "1"), regular("var/old/b", "1"),
		}),
		gzipped(t, tarOf(t, []tar.Header{
			regular("bin/added", "2"), // through the link of the layer below
			regular("usr/bin/.wh.gone", ""),
			regular("usr/bin/changed", "2"),
			regular("var/old/b", "2"), regular("var/old/.wh..wh..opq", ""),
			regular("etc/new", "2"), regular("etc/.wh.new", ""), // only what is below is gone
			{Typeflag: tar.TypeLink, Name: "usr/bin/hard", Linkname: "usr/bin/kept"},
			{Typeflag: tar.TypeReg, Name: "usr/bin/setuid", Mode: 0o4011},
		})),
		zstandard(t, tarOf(t, []tar.Header{regular("etc/.wh..wh.plnk", ""), regular("etc/b", "3")})),
	)
	if err != nil {
		t.Fatalf("apply() = %v", err)
	}
	want := map[string]string{
		"usr/bin/kept": "1", "usr/bin/changed": "2", "usr/bin/added": "2", "usr/bin/hard": "1", "usr/bin/setuid": "",
		"usr/bin/rel": "1", "abs": "1", "bin/kept": "1", "etc/a": "1", "etc/b": "3", "etc/new": "2", "var/old/b": "2",
	}
	for file, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != content {
			t.Errorf("%s = %q, %v, want %q", file, got, err, content)
		}
	}
	for _, file := range []string{"usr/bin/gone", "var/old/a", "etc/.wh..wh.plnk", "usr/bin/.wh.gone"} {
		if _, err := os.Lstat(filepath.Join(dir, file)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", file, err)
		}
	}
	for file, mode := range map[string]fs.FileMode{"usr/bin": 0o755 | fs.ModeDir, "usr/bin/setuid": 0o611, "usr/bin/kept": 0o755} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode() != mode {
			t.Errorf("%s has mode %v, %v, want %v", file, info.Mode(), err, mode)
		}
	}
}

func TestApplyCancelled(t *testing.T) {
	unixOnly(t)
	root, err := newRootfs(filepath.Join(t.TempDir(), "rootfs"), defaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	blob := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(blob, tarOf(t, []tar.Header{regular("f", "x")}), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := root.apply(ctx, blob); !errors.Is(err, context.Canceled) {
		t.Errorf("apply() = %v, want context.Canceled", err)
	}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstandard(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}
