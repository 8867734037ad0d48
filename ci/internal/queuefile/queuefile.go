// Package queuefile looks after the files in which Alloy keeps its queues, before
// Alloy is started.
//
// Alloy writes them with bbolt, which ends the whole program on a damaged page, at
// each start again, and takes from everybody what the other queues hold. A file that
// is not whole is set aside, under a name that tells when: Alloy begins an empty one,
// and a person can look at the old.
//
// The check is this package's own, and not that of bbolt, because bbolt checks by
// panicking in a goroutine of its own, which no caller outlives.
package queuefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// aside is what the name of a file that was set aside has after its own.
const aside = ".damaged-"

// Damaged is a file that was set aside.
type Damaged struct {
	// Name is where the file is now.
	Name string
	// Reason says what is wrong with it.
	Reason error
}

func (d Damaged) String() string {
	return fmt.Sprintf("a queue of Alloy's is damaged (%v); it is now %s, and what it held is lost", d.Reason, d.Name)
}

// SetAside checks every queue in the folder and renames those that Alloy could not
// read. It returns what it has renamed; a folder that is not there holds none. It
// fails where a file cannot be read or renamed. Alloy must not be running.
func SetAside(dir string) ([]Damaged, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Damaged
	for _, entry := range entries {
		if !entry.Type().IsRegular() || strings.Contains(entry.Name(), aside) {
			continue
		}
		name := filepath.Join(dir, entry.Name())
		reason, err := Check(name)
		if err != nil {
			return all, err
		}
		if reason == nil {
			continue
		}
		d := Damaged{Name: name + aside + time.Now().UTC().Format("20060102T150405.000"), Reason: reason}
		if err := os.Rename(name, d.Name); err != nil {
			return all, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Check reads one file and says what is wrong with it, nil when nothing is. An empty
// file is whole: Alloy begins a queue in it. err is about reading it.
func Check(name string) (reason, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	c := checker{file: f, size: info.Size(), used: map[uint64]bool{}}
	reason = c.check()
	if c.err != nil {
		return nil, fmt.Errorf("%s: %w", name, c.err)
	}
	return reason, nil
}
