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

// unfinished begins the name of a copy that Alloy makes of a queue at its start. The copy
// of a killed Alloy is half a file, and the next Alloy deletes it.
const unfinished = "tempdb"

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
// read. It returns what it has renamed; a folder that is not there holds none. Of
// each queue it keeps one file that was set aside, the last, so that a volume does
// not fill with them. It fails where a file cannot be read, renamed or deleted.
// Alloy must not be running.
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
		if !entry.Type().IsRegular() || strings.Contains(entry.Name(), aside) || strings.HasPrefix(entry.Name(), unfinished) {
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
		if err := removeEarlier(name, d.Name); err != nil {
			return all, err
		}
	}
	return all, nil
}

// removeEarlier deletes the files of the queue that were set aside before last.
func removeEarlier(queue, last string) error {
	entries, err := os.ReadDir(filepath.Dir(queue))
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(queue), entry.Name())
		if strings.HasPrefix(name, queue+aside) && name != last {
			errs = append(errs, os.Remove(name))
		}
	}
	return errors.Join(errs...)
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
