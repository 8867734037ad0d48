package images

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Finding is a reference to an image that does not come from the lock.
type Finding struct {
	File      string `json:"file"` // slash-separated, below the checkout
	Line      int    `json:"line"` // from 1
	Reference string `json:"reference"`
	Problem   string `json:"problem"`
}

// String says it in a line, the way compilers do.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s %s", f.File, f.Line, f.Reference, f.Problem)
}

// searched are the parts of a checkout that name images: manifests, pipelines and
// their builds.
var searched = []string{"config", "ci", ".ci", ".github", ".ko.yaml", ".env", "dagger.json"}

// maxText bounds the files that are searched; the largest of ours has 100 KiB.
const maxText = 1 << 20

// Check searches the checkout for references to images that are not those of the
// lock. A manifest should say a name of the lock, or one of own, the images that are
// built here. A file that another program reads, such as .ko.yaml, may have a whole
// reference, tag and digest, if it is the lock's to the letter. Everything else is a
// finding: another digest, a tag alone, an image that the lock does not know.
//
// Check leaves out tests and their data, comments, and generated Go code.
func Check(checkout fs.FS, lock Lock, own ...string) ([]Finding, error) {
	c := checker{own: own}
	for _, name := range lock.Names() {
		img, err := lock.Get(name)
		if err != nil {
			return nil, err
		}
		c.locked = append(c.locked, img)
	}
	for _, start := range searched {
		err := fs.WalkDir(checkout, start, func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "testdata" {
					return fs.SkipDir
				}
				return nil
			}
			return c.file(checkout, file, d)
		})
		if err != nil {
			return nil, fmt.Errorf("search for images: %w", err)
		}
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(c.found), nil
}

type checker struct {
	locked []Image
	own    []string
	found  []Finding
}

// file searches one file, by its kind.
func (c *checker) file(checkout fs.FS, file string, d fs.DirEntry) error {
	base, ext := path.Base(file), path.Ext(file)
	switch {
	case file == "config/images.json", base == "go.sum", base == "go.mod", strings.HasSuffix(base, "_test.go"):
		return nil
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() > maxText) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := fs.ReadFile(checkout, file)
	if err != nil {
		return err
	}
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return nil // not text
	case ext == ".go":
		return c.golang(file, data)
	}
	yaml := ext == ".yaml" || ext == ".yml"
	dockerfile := strings.Contains(base, "Dockerfile") || strings.Contains(base, "Containerfile")
	for i, line := range strings.Split(string(data), "\n") {
		if ext != ".json" && ext != ".md" {
			line = withoutComment(line)
		}
		switch m := named.FindStringSubmatch(line); {
		case yaml && m != nil:
			c.name(file, i+1, m[1])
		case dockerfile && from.MatchString(line):
			c.name(file, i+1, from.FindStringSubmatch(line)[1])
		default:
			c.text(file, i+1, line)
		}
	}
	return nil
}

var (
	// A member of a manifest, a workflow or .ko.yaml whose value is an image.
	named = regexp.MustCompile(`^\s*(?:-\s+)?(?:image|newName|container|defaultBaseImage|uses):\s+["']?(?:docker://)?([^"'\s]+)["']?\s*$`)
	from  = regexp.MustCompile(`(?i)^\s*FROM\s+(?:--\S+\s+)*(\S+)`)
	// These are images wherever they stand: a name with a digest behind it, and a name
	// with the host of a public registry before it.
	pinnedText = regexp.MustCompile(`[\w][\w./:-]*@sha256:[0-9a-f]{64}`)
	hostedText = regexp.MustCompile(`\b(?:(?:index\.)?docker\.io|ghcr\.io|quay\.io|(?:[a-z]+\.)?gcr\.io|[a-z0-9-]+\.pkg\.dev|registry\.k8s\.io|mcr\.microsoft\.com|public\.ecr\.aws|cgr\.dev)/[a-z0-9][\w./-]*(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?`)
	tagText    = regexp.MustCompile(`^:[A-Za-z0-9_][\w.-]*`)
	actionName = regexp.MustCompile(`^(?:\./|[\w.-]+/[\w./-]+@)`)
)

// name judges a value that must be an image.
func (c *checker) name(file string, line int, ref string) {
	switch {
	case strings.HasPrefix(ref, "${{") || slices.Contains(c.own, ref):
	case actionName.MatchString(ref) && !strings.Contains(ref, "@sha256:"):
		// uses: owner/action@commit, which is not an image.
	case slices.ContainsFunc(c.locked, func(i Image) bool { return i.Name == ref }):
	default:
		c.judge(file, line, ref)
	}
}

// text judges all words that look like an image in a line of any file.
func (c *checker) text(file string, line int, s string) {
	for _, pattern := range []*regexp.Regexp{pinnedText, hostedText} {
		for _, ref := range pattern.FindAllString(s, -1) {
			c.judge(file, line, ref)
		}
		s = pattern.ReplaceAllString(s, " ")
	}
	for _, img := range c.locked {
		for rest := s; ; {
			before, after, ok := strings.Cut(rest, img.Repository)
			if !ok {
				break
			}
			rest = after
			partOfLonger := before != "" && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-", rune(before[len(before)-1]))
			if tag := tagText.FindString(after); tag != "" && !partOfLonger {
				c.judge(file, line, img.Repository+tag)
			}
		}
	}
}

// judge notes the problem of a reference, if it has one.
func (c *checker) judge(file string, line int, ref string) {
	problem := "is not in the lock"
	for _, img := range c.locked {
		if ref == img.Reference() || ref == img.Pinned() {
			return
		}
		rest, ok := strings.CutPrefix(familiar(ref), familiar(img.Repository))
		if ok && (rest == "" || rest[0] == ':' || rest[0] == '@') {
			problem = "is not what the lock says: " + img.Reference()
			if !strings.Contains(rest, "@") {
				problem = "is not pinned; the lock says " + img.Reference()
			}
		}
	}
	c.found = append(c.found, Finding{File: file, Line: line, Reference: ref, Problem: problem})
}

// familiar is a reference without the host that stands for no host.
func familiar(ref string) string {
	for _, host := range []string{"index.docker.io/", "docker.io/"} {
		ref = strings.TrimPrefix(ref, host)
	}
	return strings.TrimPrefix(ref, "library/")
}

// withoutComment cuts a comment that begins with # at the start or after a space.
func withoutComment(line string) string {
	for i, r := range line {
		if r == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}
