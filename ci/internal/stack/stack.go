// Package stack gets the programs of the observability stack — Loki, Tempo,
// Mimir, Alloy and, where it can be had, Grafana — onto this machine.
//
// There are three ways, quickest first, and a [Mode] picks among them:
//
//   - path: a program of the pinned version on PATH;
//   - images: the program out of the image that config/images.json pins by
//     digest, straight from the registry (Linux only; no container runtime);
//   - source: compiled with the go command from the module in ci/stack/NAME.
//
// [Auto] takes, for each program, PATH, then what the cache directory already
// has, then the images when the registry answers, and compiles otherwise.
//
// The cache directory holds, below the one given in [Config]:
//
//	images/NAME-DIGEST-ARCH/   a program taken out of an image
//	source/NAME-RELEASE-KEY/   a program compiled; KEY covers everything that
//	                           decides the result (see recipe)
//	overlay/NAME/              what the last lean compile of NAME has changed of upstream
//	blobs/                     layers of images that are not finished (see registry.Store)
//	logs/build-NAME.log        the last compile of NAME
//	locks/, tmp/               one lock file per program, and work in progress
//
// A directory in images/ or source/ is complete: it is made in tmp/ and renamed. It
// stays when its pin is replaced, until [Stack.Prune].
package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/registry"
)

// Mode says where programs may come from.
type Mode string

// The modes of --stack.
const (
	Auto   Mode = "auto"
	Path   Mode = "path"
	Images Mode = "images"
	Source Mode = "source"
)

// ParseMode reads a mode; the empty string is [Auto].
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Auto, nil
	case Auto, Path, Images, Source:
		return m, nil
	}
	return "", fmt.Errorf("stack mode %q: want auto, path, images or source", s)
}

// String, Set and Type make *Mode a command-line flag.
func (m *Mode) String() string { return string(*m) }

// Set parses s into m.
func (m *Mode) Set(s string) (err error) {
	*m, err = ParseMode(s)
	return err
}

// Type names the flag's values in a usage message.
func (m *Mode) Type() string { return "auto|path|images|source" }

// Config says where programs come from and where they go.
type Config struct {
	// Root is the checkout; the source pins are read from Root/ci/stack. "" means that
	// there is none: then the pins are those that this program was built with, and
	// nothing can be compiled.
	Root string
	// Cache is where programs are kept; empty is [cachedir.Default].
	Cache string
	// Mode is where programs may come from; empty is [Auto].
	Mode Mode
	// Images is the image lock.
	Images images.Lock
	// Files has config/alloy, which says what a lean program must have in it; nil is Root.
	// Without both, any lean program will do.
	Files fs.FS
	// Full is set if no lean program will do: see Lean in [Program].
	Full bool
	// Archives is a folder with images as files, as `lab images pull --to` and pack write
	// them. A program whose image is there is taken out of it, and not asked of a
	// registry. It may be "".
	Archives string
	// Progress, if set, is called as work goes on, by one goroutine at a time.
	Progress func(Event)
	// ProbeTimeout bounds the question whether the registry answers; 0 is 3 s.
	ProbeTimeout time.Duration
}

// Stack finds, fetches and compiles programs. Its methods may be called from
// several goroutines and several processes may share a cache directory.
type Stack struct {
	cfg   Config
	specs []spec
	pins  map[string]Pin
	// goos and goarch are the platform that images are taken for; set in tests.
	goos, goarch string
	// client speaks with the registry; set in tests.
	client registry.Client
	// limits bound what is unpacked from an image; set in tests.
	limits limits
	// freeBytes reports the free space below a directory; set in tests.
	freeBytes func(dir string) (uint64, error)
	reporting sync.Mutex // held while Config.Progress is called
}

// New reads the source pins and checks the configuration. Nothing is fetched.
func New(cfg Config) (*Stack, error) { return newStack(cfg, specs()) }

func newStack(cfg Config, specs []spec) (*Stack, error) {
	var err error
	if cfg.Mode, err = ParseMode(string(cfg.Mode)); err != nil {
		return nil, err
	}
	if cfg.Cache == "" {
		if cfg.Cache, err = cachedir.Default(); err != nil {
			return nil, err
		}
	}
	if cfg.Cache, err = filepath.Abs(cfg.Cache); err != nil {
		return nil, err
	}
	if cfg.Root != "" {
		if cfg.Root, err = filepath.Abs(cfg.Root); err != nil {
			return nil, err
		}
	}
	if cfg.Files == nil && cfg.Root != "" {
		cfg.Files = os.DirFS(cfg.Root)
	}
	if cfg.ProbeTimeout == 0 {
		cfg.ProbeTimeout = 3 * time.Second
	}
	s := &Stack{
		cfg: cfg, specs: specs,
		goos: runtime.GOOS, goarch: runtime.GOARCH, limits: defaultLimits, freeBytes: freeBytes,
	}
	s.pins, err = pins(cfg.Root, specs)
	return s, err
}

// Pins returns the source pins in the order loki, tempo, mimir, alloy.
func (s *Stack) Pins() []Pin {
	var pins []Pin
	for _, sp := range s.specs {
		if pin, ok := s.pins[sp.name]; ok {
			pins = append(pins, pin)
		}
	}
	return pins
}

// Program is one runnable program.
type Program struct {
	Name    string // "loki", "tempo", "mimir", "alloy" or "grafana"
	Version string // as the program prints it: "3.7.7", "v1.19.2"
	Source  Mode   // Path, Images or Source
	Home    string // Grafana's --homepath; empty for the others
	Path    string // the program's own file
	// Loader and LibraryPath are set for a dynamically linked program out of an
	// image: it runs under that image's ELF interpreter with that image's
	// libraries, because this machine's may be others, or not there at all.
	Loader      string
	LibraryPath []string
	// Lean says that parts of the program that the lab never runs were left out when it was
	// compiled. Components names those that a lean Alloy has at least.
	Lean       bool
	Components []string
}

// Command returns the file to execute, and the arguments that go in front of the
// caller's own.
func (p Program) Command() (path string, args []string) {
	if p.Loader == "" {
		return p.Path, nil
	}
	return p.Loader, loaderArgs(p)
}

// Set is the programs that [Stack.Resolve] found.
type Set struct {
	programs map[string]Program
	// Reason says in one line where the programs come from and why.
	Reason string
	// Hint says in one line how to get Grafana; empty when it is there.
	Hint string
}

// Program returns the program called name, and whether it is there. After a
// Resolve without error only Grafana can be absent.
func (s Set) Program(name string) (Program, bool) {
	p, ok := s.programs[name]
	return p, ok
}

// errAbsent says that a source does not have a program, which in [Auto] means
// looking further.
var errAbsent = errors.New("not there")
