package storefile

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/tsdb/wlog"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// checkpoint begins the name of a folder with a checkpoint of the log.
const checkpoint = "checkpoint."

// mendLoki checks each segment of Loki's log, and of its checkpoints. A damaged segment is
// replaced by its records up to the damage: then Loki reads on in the next segment. Without
// that, a record that was torn when the machine lost its power would hide, at the second
// start after it, all that was written since the first.
func mendLoki(wal string) ([]Damaged, error) {
	entries, err := list(wal)
	if err != nil {
		return nil, err
	}
	var all []Damaged
	for _, entry := range entries {
		name := filepath.Join(wal, entry.Name())
		switch {
		case isSegment(entry.Name()):
			d, err := mendSegment(name)
			all = append(all, d...)
			if err != nil {
				return all, err
			}
		case entry.IsDir() && strings.HasPrefix(entry.Name(), checkpoint) && isSegment(strings.TrimPrefix(entry.Name(), checkpoint)):
			d, err := mendLoki(name)
			all = append(all, d...)
			if err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// isSegment tells whether a file of a log has a number as its name. The library that reads
// the log takes no notice of others.
func isSegment(name string) bool {
	_, err := strconv.Atoi(name)
	return err == nil
}

func mendSegment(name string) ([]Damaged, error) {
	whole, reason := readable(name)
	if reason == nil {
		return nil, nil
	}
	now, err := setAside(name)
	if err != nil {
		return nil, err
	}
	d := []Damaged{{Component: target.Loki, Name: now, Reason: reason, Lost: "lines that Loki had not yet written to its store may be lost"}}
	if whole == 0 {
		return d, os.WriteFile(name, nil, 0o644) // the numbers must have no gap
	}
	return d, copyStart(name, now, whole)
}

// readable returns how many bytes of a segment hold whole records, and what is wrong after
// them, nil when nothing is.
func readable(name string) (whole int64, reason error) {
	segment, err := wlog.OpenReadSegment(name)
	if err != nil {
		return 0, err
	}
	defer segment.Close()
	reader := wlog.NewReader(wlog.NewSegmentBufReader(segment))
	for reader.Next() {
		whole = reader.Offset()
	}
	return whole, reader.Err()
}

// copyStart writes a new file with the first bytes of another.
func copyStart(name, from string, bytes int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(out, in, bytes); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
