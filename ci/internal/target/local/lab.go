// Package local brings the lab up on this machine, as processes.
//
// A lab lives in a folder (see layout). Its processes do not depend on the
// program that started them: `up` writes down what it starts and may end, be
// killed or be run again. It keeps a process that runs and is unchanged, replaces one
// that has changed, and ends one of this lab's that its notes do not have.
//
// Lab touches its own things only: a folder that labdir has marked, and processes whose
// environment names that folder.
package local

import (
	"context"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// minDisk is the free space, in bytes, that the backends need for a day of the lab's
// data (measured: about 20 MB for 10,000 requests) with room to compact.
const minDisk = 1 << 30

// Config says which lab, and from what.
type Config struct {
	// Files are the configuration and the dashboards. The services are built from the
	// checkout that the files are in. Without a checkout the services are installed from
	// the lab's published module.
	Files checkout.Files
	// Version is the version of that module: this program's.
	Version string
	// Listen is the address that the components listen on: "" or 127.0.0.1, or 0.0.0.0,
	// where every machine reaches them that reaches this one.
	Listen string
	// NoServices leaves the two services out.
	NoServices bool
	// Dir is the lab's folder. Up makes it, and refuses one that it has not made.
	Dir string
	// Ports are the ports to use; the zero value means those that the lab in Dir
	// had last, or else the defaults.
	Ports target.Ports
	// FreePorts takes ports that are free when the components start, or those that the
	// lab in Dir has while it runs. Ports is then not used.
	FreePorts bool
	// SetPorts are ports by name, as [target.Ports.Set] takes them, in the place of
	// those that Ports or FreePorts say.
	SetPorts map[string]int
	// Self is this program, which is the inspector, too; "" is a lab without one.
	Self string
	// Inspect gives the inspector a copy of what services send.
	Inspect bool
	// Forward is another OTLP endpoint that gets a copy of what services send; the zero
	// value is none.
	Forward forward.Endpoint
	// Faults lets requests ask for a slow or failing query.
	Faults bool
	// Closed says whether every connection is mutual TLS; nil leaves the lab as it was, and
	// a new one open.
	Closed *bool
	// Origins are the pages that may send telemetry from a browser, such as
	// https://app.example.com. Without any, those on localhost may.
	Origins []string
	// DatabaseURL is the PostgreSQL database that the backend keeps the users in, such
	// as postgres://user:password@host:5432/name; "" is its SQLite file in the lab's folder.
	DatabaseURL string
	// Retention is how long the databases keep data; a signal without a period is
	// kept for [retention.Least].
	Retention retention.Periods
	// Sampling is which traces are kept; the zero value keeps all.
	Sampling sampling.Traces
	// Programs finds the programs of the stack. It may take long, and shows its
	// own progress.
	Programs func(context.Context) (map[string]Program, error)
	// Progress gets each line that tells a person what the lab does. It may be nil.
	Progress func(line string)
}

// Lab is the lab in one folder.
type Lab struct {
	cfg    Config
	layout layout
	folder labdir.Folder // once claimed
}

// Open returns the lab in cfg.Dir, whether it runs or not. It changes nothing.
func Open(cfg Config) *Lab {
	told := cfg.Progress
	var mu sync.Mutex // components become ready side by side
	cfg.Progress = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if told != nil {
			told(line)
		}
	}
	cfg.Retention = cfg.Retention.Or(retention.Least)
	l := &Lab{cfg: cfg, layout: layout{dir: cfg.Dir}}
	// One folder has one path, however it is reached: the components' settings and
	// fingerprints have it in them.
	if folder, _, err := labdir.Inspect(cfg.Dir); err == nil {
		l.layout.dir = folder.Path
	}
	return l
}

// State returns what runs, as written down; ErrNotUp when nothing does.
func (l *Lab) State() (*State, error) {
	_, kind, err := labdir.Inspect(l.layout.dir)
	if err != nil {
		return nil, err
	}
	if kind != labdir.Marked && kind != labdir.Unmarked {
		return nil, ErrNotUp // a copy's notes are of the processes of the other folder
	}
	s, err := readState(l.layout.state())
	if err == nil && len(s.Processes) == 0 { // the last `up` failed
		return nil, ErrNotUp
	}
	return s, err
}
