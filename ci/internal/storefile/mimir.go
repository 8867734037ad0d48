package storefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/prometheus/prometheus/tsdb/chunks"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// mappedChunks is the folder, of each tenant, with the chunks of the newest hours that
// Mimir has moved out of its memory. All that is in them is in the write-ahead log, too:
// they make a start faster, and no more.
const mappedChunks = "chunks_head"

// mendMimir sets the mapped chunks aside where Mimir could not begin to read them. Damage
// within a file Mimir mends itself.
func mendMimir(tsdb string) ([]Damaged, error) {
	tenants, err := list(tsdb)
	if err != nil {
		return nil, err
	}
	var all []Damaged
	for _, tenant := range tenants {
		dir := filepath.Join(tsdb, tenant.Name(), mappedChunks)
		reason, err := checkChunks(dir)
		if err != nil {
			return all, err
		}
		if reason == nil {
			continue
		}
		now, err := setAside(dir)
		if now != "" {
			all = append(all, Damaged{Component: target.Mimir, Name: now, Reason: reason})
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// checkChunks says why Mimir would not open the files of mapped chunks. The last file may be
// empty, as a crash leaves it: Mimir deletes that one itself.
func checkChunks(dir string) (reason, err error) {
	entries, err := list(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	names := map[int]string{}
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			numbers = append(numbers, n)
			names[n] = filepath.Join(dir, entry.Name())
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return fmt.Errorf("%s: the file before it is missing", names[n]), nil
		}
		if reason := checkHeader(names[n], i == len(numbers)-1); reason != nil {
			return fmt.Errorf("%s: %w", names[n], reason), nil
		}
	}
	return nil, nil
}

func checkHeader(name string, last bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	header := make([]byte, chunks.HeadChunkFileHeaderSize)
	n, _ := f.ReadAt(header, 0)
	magic := binary.BigEndian.Uint32(header)
	switch {
	case last && (n == 0 || magic == 0):
		return nil
	case n < len(header):
		return errors.New("it is too short to have a header")
	case magic != chunks.MagicHeadChunks:
		return fmt.Errorf("it begins with %#x", magic)
	}
	return nil
}
