// Package images reads the image lock, config/images.json: the one place that
// says which container images the lab uses.
//
// The file is a JSON object with two members. "images" maps a name to a
// reference; "about" is a sentence for the person who opens the file and may be
// left out:
//
//	{
//	  "about": "…",
//	  "images": {
//	    "loki": "grafana/loki:3.7.7@sha256:d70e46…"
//	  }
//	}
//
// A reference is repository:tag@sha256:digest. The tag is there for people and
// for comparing versions. The digest selects the image, and should be that of a
// multi-platform index. Every name in [Names] must be there and no other may,
// so a lock for a mirror or an air-gapped registry is a whole copy of the file
// with other repositories in it, never a patch on top of this one.
package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// The names in the lock.
const (
	Loki          = "loki"
	Tempo         = "tempo"
	Mimir         = "mimir"
	Alloy         = "alloy"
	Grafana       = "grafana"
	Docker        = "docker"         // Docker in Docker, which runs Kind inside Dagger
	Golang        = "golang"         // builds the lab's own programs
	Base          = "base"           // what the lab's own images are built on
	Node          = "node"           // the Kind node; belongs to the Kind release in go.mod
	MetricsServer = "metrics-server" // for kubectl top, where it is asked for
)

// Names lists every name that a lock has, in the order of the file.
func Names() []string {
	return []string{Loki, Tempo, Mimir, Alloy, Grafana, Docker, Golang, Base, Node, MetricsServer}
}

// Workloads lists the names of the images that run in the cluster, in the order in
// which they come up.
func Workloads() []string { return []string{Loki, Tempo, Mimir, Grafana, Alloy} }

// maxLockSize bounds the size of a lock that is read; the real one has about 2 KiB.
const maxLockSize = 1 << 20

// ErrUnknown is wrapped by the error of [Lock.Get] when the lock has no image of that
// name.
var ErrUnknown = errors.New("not in the image lock")

// Image is one pinned image.
type Image struct {
	Name       string // the name in the lock, one of [Names]
	Repository string // as written: "grafana/loki", "registry.example.org/mirror/loki"
	Tag        string // "3.7.7"; informs people, selects nothing
	Digest     string // "sha256:" and 64 hexadecimal digits; selects the image
}

// Reference is the image as it is written in the lock: repository:tag@digest.
func (i Image) Reference() string { return i.Repository + ":" + i.Tag + "@" + i.Digest }

// Pinned is the reference without its tag, repository@digest. Some tools refuse
// a reference that has both.
func (i Image) Pinned() string { return i.Repository + "@" + i.Digest }

// Lock is a set of pinned images. The zero Lock is empty and not valid.
type Lock struct {
	file    string
	entries map[string]string
}

// Load reads and validates the lock in the file at path.
func Load(path string) (Lock, error) {
	f, err := os.Open(path) // not by LoadFS, whose errors would name the file without its folder
	if err != nil {
		return Lock{}, fmt.Errorf("image lock: %w", err)
	}
	defer f.Close()
	return read(f, path)
}

// LoadFS reads and validates the lock called file in fsys, for a program that
// carries the lock inside itself.
func LoadFS(fsys fs.FS, file string) (Lock, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return Lock{}, fmt.Errorf("image lock: %w", err)
	}
	defer f.Close()
	return read(f, file)
}

// read reads and validates the lock in r; errors name file.
func read(r io.Reader, file string) (Lock, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxLockSize+1))
	if err != nil {
		return Lock{}, fmt.Errorf("image lock %s: %w", file, err)
	}
	if len(data) > maxLockSize {
		return Lock{}, fmt.Errorf("image lock %s: larger than %d bytes", file, maxLockSize)
	}
	lock, err := parse(data)
	if err != nil {
		return Lock{}, fmt.Errorf("image lock %s: %w", file, err)
	}
	lock.file = file
	return lock, lock.Validate()
}

// parse decodes the file without judging the references in it.
func parse(data []byte) (Lock, error) {
	var file struct {
		About  string   `json:"about"`
		Images *entries `json:"images"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return Lock{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Lock{}, errors.New("something follows the JSON object")
	}
	if file.Images == nil {
		return Lock{}, errors.New(`no "images" in it`)
	}
	return Lock{entries: *file.Images}, nil
}

// entries decodes like a map[string]string, except that a name given twice is
// an error: encoding/json would take the last one without a word.
type entries map[string]string

func (e *entries) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New(`"images" is not an object`)
	}
	*e = entries{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if _, ok := (*e)[key]; ok {
			return fmt.Errorf("image %q is there twice", key)
		}
		var ref string
		if err := dec.Decode(&ref); err != nil {
			return fmt.Errorf("image %q: the reference is not a string", key)
		}
		(*e)[key] = ref
	}
	return nil
}

// Get returns the image called name. The error wraps [ErrUnknown] when the lock has no
// image of that name, and otherwise names the fault of its reference.
func (l Lock) Get(name string) (Image, error) {
	ref, ok := l.entries[name]
	if !ok {
		return Image{}, fmt.Errorf("image %q: %w", name, ErrUnknown)
	}
	return split(name, ref)
}

// Names returns the names that this lock has, sorted.
func (l Lock) Names() []string { return slices.Sorted(maps.Keys(l.entries)) }

// Validate reports every entry that is missing, unknown, malformed or not
// pinned by tag and digest, each by its name.
func (l Lock) Validate() error {
	var errs []error
	for _, want := range Names() {
		if _, ok := l.entries[want]; !ok {
			errs = append(errs, fmt.Errorf("image %q: missing", want))
		}
	}
	for _, have := range l.Names() {
		if !slices.Contains(Names(), have) {
			errs = append(errs, fmt.Errorf("image %q: unknown name; known are %s", have, strings.Join(Names(), ", ")))
			continue
		}
		if _, err := l.Get(have); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("image lock %s: %w", l.file, errors.Join(errs...))
}

// split takes a reference apart and checks every part of it.
func split(entry, ref string) (Image, error) {
	fail := func(format string, args ...any) (Image, error) {
		return Image{}, fmt.Errorf("image %q: %q %s", entry, ref, fmt.Sprintf(format, args...))
	}
	tagged, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return fail("is not pinned: no @sha256:… behind the tag")
	}
	// A colon in front of the last slash belongs to a registry's port.
	colon := strings.LastIndex(tagged, ":")
	if colon <= strings.LastIndex(tagged, "/") {
		return fail("has no tag; write repository:tag@digest")
	}
	img := Image{Name: entry, Repository: tagged[:colon], Tag: tagged[colon+1:], Digest: digest}
	if _, err := name.NewTag(tagged); err != nil {
		return fail("is malformed: %v", err)
	}
	if img.Tag == "latest" {
		return fail("has the tag latest, which says nothing about what it is")
	}
	if !strings.HasPrefix(digest, "sha256:") {
		return fail("is not pinned by a sha256 digest")
	}
	if _, err := name.NewDigest(img.Pinned()); err != nil {
		return fail("is malformed: %v", err)
	}
	return img, nil
}
