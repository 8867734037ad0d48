// Package storefile looks after the files that Loki and Mimir read at their start, before
// they are started.
//
// Loki reads its write-ahead log up to the first damaged record and leaves the rest out,
// later files too, without a word or a count. Mimir mends its own log and says so, but does
// not start at all with a file of mapped chunks that has no header. Tempo needs no help: it
// deletes what it cannot read, and says so.
//
// Nothing is deleted here. A damaged file is set aside under a name that tells when, the
// readable part of it takes its place, and the store has the rest.
package storefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// aside is what the name of a file that was set aside has after its own, as in the folder
// of Alloy's queues.
const aside = ".damaged-"

// Damaged is a file or a folder that was set aside.
type Damaged struct {
	// Component is the store that it belongs to.
	Component string
	// Name is where it is now.
	Name string
	// Reason says what is wrong with it.
	Reason error
	// Lost says what the store lacks without it, "" for nothing.
	Lost string
}

func (d Damaged) String() string {
	lost := d.Lost
	if lost == "" {
		lost = "nothing is lost by it"
	}
	return fmt.Sprintf("a file of %s is damaged (%v): %s. It is now %s", d.Component, d.Reason, lost, d.Name)
}

// Mends tells whether the component has files that Mend looks at.
func Mends(component string) bool { return component == target.Loki || component == target.Mimir }

// Mend checks the files of a component in its data folder, and mends what the component
// would trip over. It returns what it has set aside; a component without such files and a
// folder that is not there have nothing. It fails where a file cannot be renamed or written.
// The component must not be running.
func Mend(component, dir string) ([]Damaged, error) {
	switch component {
	case target.Loki:
		return mendLoki(filepath.Join(dir, "wal"))
	case target.Mimir:
		return mendMimir(filepath.Join(dir, "tsdb"))
	}
	return nil, nil
}

// setAside renames a file or folder, and returns its new name. Of each it keeps one that
// was set aside, the last, so that a volume does not fill with them.
func setAside(name string) (now string, err error) {
	now = name + aside + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(name, now); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return "", err
	}
	var errs []error
	for _, entry := range entries {
		earlier := filepath.Join(filepath.Dir(name), entry.Name())
		if strings.HasPrefix(earlier, name+aside) && earlier != now {
			errs = append(errs, os.RemoveAll(earlier))
		}
	}
	return now, errors.Join(errs...)
}

// list returns the entries of a folder; one that is not there has none.
func list(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
