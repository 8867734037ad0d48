package stack

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// limits bound what an image may put on the disk.
type limits struct {
	bytes   int64 // of all layers, compressed; and again of their content
	entries int   // files, directories and links
}

// defaultLimits leave Grafana, the largest of the images at about 1 GB
// unpacked, several times the room that it needs.
var defaultLimits = limits{bytes: 6 << 30, entries: 300_000}

// rootfs is an image's root filesystem in the making. Everything is written
// through an [os.Root], which the kernel's path lookup cannot be led out of, and
// no symbolic link is made that points outside: links in images are meant to be
// followed below the image's root, so an absolute target, or one with too many
// dots, becomes a relative one that stays inside, just as a container sees it.
type rootfs struct {
	dir    string // without symbolic links in it
	root   *os.Root
	limits limits
	// read and written count bytes of all layers so far, entries their entries.
	read, written int64
	entries       int
}

// newRootfs makes the directory dir, which must not be there yet.
func newRootfs(dir string, l limits) (*rootfs, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &rootfs{dir: dir, root: root, limits: l}, nil
}

func (r *rootfs) close() { _ = r.root.Close() }

// apply unpacks one layer on top of those below it. Owners, setuid bits,
// extended attributes, devices and pipes are left out: the programs run as the user who
// calls the lab, without them.
func (r *rootfs) apply(ctx context.Context, blob string) error {
	f, err := os.Open(blob)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := decompress(contextReader{ctx, f})
	if err != nil {
		return err
	}
	defer content.Close()
	layer := layer{rootfs: r, made: map[string]bool{}}
	entries := tar.NewReader(countingReader{content, &r.read, r.limits.bytes})
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.entries++; r.entries > r.limits.entries {
			return fmt.Errorf("the image has more than %d files", r.limits.entries)
		}
		if err := layer.entry(h, entries); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// layer is one layer being applied.
type layer struct {
	*rootfs
	made map[string]bool // paths of this layer, which its whiteouts spare
}

// The names that mean deletions, from the OCI image specification.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	metadata = ".wh..wh."
)

// entry puts one entry of the layer into the root filesystem.
func (l *layer) entry(h *tar.Header, content io.Reader) error {
	name, err := inside(h.Name)
	if err != nil || name == "." {
		return err
	}
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	switch {
	case base == opaque:
		return l.clear(dir)
	case strings.HasPrefix(base, metadata):
		return nil
	case strings.HasPrefix(base, whiteout):
		gone, err := inside(dir + "/" + strings.TrimPrefix(base, whiteout))
		if err != nil || gone == dir || l.made[gone] {
			return err
		}
		return l.root.RemoveAll(gone)
	}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeReg, tar.TypeSymlink, tar.TypeLink:
	default:
		return nil
	}
	l.made[name] = true
	if err := l.makeRoom(name, dir, h.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode) & 0o777
	switch h.Typeflag {
	case tar.TypeDir:
		if err := l.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return l.root.Chmod(name, mode|0o700)
	case tar.TypeReg:
		return l.file(name, mode|0o600, content)
	case tar.TypeSymlink:
		return l.symlink(name, h.Linkname)
	}
	return l.link(name, h.Linkname)
}

// makeRoom makes the directory of name, and removes the file or directory in name's
// place. A directory stays if the entry is to be one.
func (l *layer) makeRoom(name, dir string, isDir bool) error {
	if err := l.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := l.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && isDir && there.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return l.root.RemoveAll(name)
}

func (l *layer) file(name string, mode fs.FileMode, content io.Reader) error {
	f, err := l.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	// The tar reader's own count is not enough: a sparse file costs it nothing.
	_, err = io.Copy(f, countingReader{content, &l.written, l.limits.bytes})
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// symlink makes name a link to the file that target names below the root.
func (l *layer) symlink(name, target string) error {
	// The meaning of ".." depends on where the directory of name really is.
	dir, err := l.realDir(path.Dir(name))
	if err != nil {
		return err
	}
	if !path.IsAbs(target) {
		target = path.Join("/", dir, target)
	}
	rel, err := filepath.Rel(filepath.FromSlash("/"+dir), filepath.FromSlash(path.Clean(target)))
	if err != nil {
		return err
	}
	return l.root.Symlink(rel, name)
}

// link makes name another name of the file target.
func (l *layer) link(name, target string) error {
	target, err := inside(target)
	if err != nil {
		return err
	}
	info, err := l.root.Lstat(target)
	if err != nil {
		return err
	}
	switch {
	case info.Mode().IsRegular():
		return l.root.Link(target, name)
	case info.Mode()&fs.ModeSymlink == 0:
		return errors.New("a hard link whose target is not a file")
	}
	// The same relative link in another directory would lead elsewhere.
	to, err := l.root.Readlink(target)
	if err != nil {
		return err
	}
	dir, err := l.realDir(path.Dir(target))
	if err != nil {
		return err
	}
	return l.symlink(name, path.Join("/", dir, filepath.ToSlash(to)))
}

// realDir is the directory dir below the root, with symbolic links resolved.
func (l *layer) realDir(dir string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(l.dir, filepath.FromSlash(dir)))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(l.dir, real)
	if err == nil && !filepath.IsLocal(rel) {
		err = fmt.Errorf("%s leaves the image", dir)
	}
	return filepath.ToSlash(rel), err
}

// clear removes the files that lower layers have put into dir.
func (l *layer) clear(dir string) error {
	children, err := fs.ReadDir(l.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, child := range children {
		if name := path.Join(dir, child.Name()); !l.made[name] {
			err = errors.Join(err, l.root.RemoveAll(name))
		}
	}
	return err
}

// inside is the name of an entry relative to the root, "." for the root itself.
// A name with ".." in it is refused.
func inside(name string) (string, error) {
	if slices.Contains(strings.Split(name, "/"), "..") || strings.ContainsRune(name, 0) {
		return "", errors.New("the name leads out of the image")
	}
	if name = path.Clean("/" + name); name == "/" {
		return ".", nil
	}
	return name[1:], nil
}

// decompress reads a layer, which is gzip, zstd or neither.
func decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// countingReader adds what is read to n and fails when that exceeds max.
type countingReader struct {
	r   io.Reader
	n   *int64
	max int64
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if *c.n += int64(n); *c.n > c.max {
		return 0, fmt.Errorf("the image is larger than %s", size(uint64(c.max)))
	}
	return n, err
}

// contextReader is a reader that fails once its context is cancelled.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
