package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Difference is an image, or its variant for one platform, that two builds of the
// same checkout made differently.
type Difference struct {
	Name     string
	Platform string // empty: the image as a whole
	First    string // digests; empty if that build did not make it
	Second   string
}

// String says it in a line.
func (d Difference) String() string {
	what := strings.TrimSpace(d.Name + " " + d.Platform)
	return fmt.Sprintf("%s: first %s, then %s", what, orNone(d.First), orNone(d.Second))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// NotReproducible is the error of [Reproduce] when two builds differ.
type NotReproducible struct {
	Differences []Difference
	Dir         string // both checkouts and both outputs, left for a look
}

func (e *NotReproducible) Error() string {
	lines := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		lines[i] = "  " + d.String()
	}
	return fmt.Sprintf("two builds of the same checkout differ:\n%s\nboth are kept in %s", strings.Join(lines, "\n"), e.Dir)
}

// Reproduce builds the checkout twice: from two copies at different paths, with an
// empty compiler's cache each and in different time zones, so that nothing one
// build made can reach the other. The second build is on a copy of the base as another
// tool would export it, with other manifests and another time. Reproduce returns the
// images if every digest is equal, and [NotReproducible] if not. o.Out is ignored.
// Everything is compiled from nothing, twice; the modules come from the user's module
// cache.
//
// The images that it returns have no files any more.
func Reproduce(ctx context.Context, o Options) ([]Image, error) {
	work, err := os.MkdirTemp("", "lgtm-lab-reproduce-")
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			_ = os.RemoveAll(work)
		}
	}()
	o.Cache, o.Publish = "", ""
	// The paths differ in length and depth, and one has a space. Both copies are made
	// before the first build, so that no edit comes between them.
	here := filepath.Join(work, "first", "checkout")
	there := filepath.Join(work, "second", "some where", "else", "altogether")
	if err := errors.Join(copyCheckout(here, o.Root), copyCheckout(there, o.Root)); err != nil {
		return nil, err
	}
	first, err := o.once(ctx, filepath.Join(work, "first"), here, "UTC")
	if err != nil {
		return nil, fmt.Errorf("first build: %w", err)
	}
	o.baseAnew = true
	second, err := o.once(ctx, filepath.Join(work, "second"), there, "Asia/Tokyo")
	if err != nil {
		return nil, fmt.Errorf("second build: %w", err)
	}
	if diff := Compare(first, second); len(diff) > 0 {
		keep = true
		return nil, &NotReproducible{Differences: diff, Dir: work}
	}
	return second, nil
}

// once builds the copy of the checkout in root, with everything it makes in dir.
func (o Options) once(ctx context.Context, dir, root, zone string) ([]Image, error) {
	o.Root, o.Out = root, filepath.Join(dir, "out")
	o.env = append(slices.Clone(o.env), "TZ="+zone)
	if tell := o.Progress; tell != nil {
		o.Progress = func(line string) { tell(filepath.Base(dir) + " build: " + line) }
	}
	if o.gocache == "" {
		o.gocache = filepath.Join(dir, "gocache")
		// The cache has about a gigabyte, which the second build needs.
		defer os.RemoveAll(filepath.Join(dir, "gocache"))
	}
	images, err := Build(ctx, o)
	for i := range images {
		images[i].Archive, images[i].Tarball = "", ""
	}
	return images, err
}

// Compare lists the differences between two builds, image by image. The list is empty
// if they are equal.
func Compare(first, second []Image) []Difference {
	all := map[[2]string]Difference{}
	for _, img := range first {
		all[[2]string{img.Name}] = Difference{Name: img.Name, First: img.Digest}
		for _, p := range img.Platforms {
			all[[2]string{img.Name, p.Platform}] = Difference{Name: img.Name, Platform: p.Platform, First: p.Digest}
		}
	}
	note := func(name, platform, digest string) {
		d := all[[2]string{name, platform}]
		d.Name, d.Platform, d.Second = name, platform, digest
		all[[2]string{name, platform}] = d
	}
	for _, img := range second {
		note(img.Name, "", img.Digest)
		for _, p := range img.Platforms {
			note(img.Name, p.Platform, p.Digest)
		}
	}
	var out []Difference
	for _, d := range all {
		if d.First != d.Second {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return strings.Compare(a.Name+" "+a.Platform, b.Name+" "+b.Platform)
	})
	return out
}

// copyCheckout copies the files of a checkout, without its history and without
// the running lab's folder.
func copyCheckout(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dest := filepath.Join(to, rel)
		switch {
		case rel == ".git" || rel == ".lab": // .git is a file in a work tree
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(dest, 0o755)
		case d.Type().IsRegular():
			return copyFile(dest, path)
		}
		return nil // nothing else belongs to the source
	})
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an editor's temporary file that is gone
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
