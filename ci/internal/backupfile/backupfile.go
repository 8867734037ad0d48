// Package backupfile writes the file of a backup of the users, which the backend makes,
// and checks that the file is whole. The format is the backend's: an SQLite database, and
// behind its last page three lines: a mark with the format's version, a description as
// JSON, and the SHA-256 of all that is before that line.
package backupfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Info says what a backup holds.
type Info struct {
	// Users is how many users it has.
	Users int64 `json:"users"`
	// Schema is the newest migration that its database has had.
	Schema string `json:"schema"`
	// CreatedAt is when the backup was begun, in UTC: every user created before is in it.
	CreatedAt time.Time `json:"created_at"`
}

const (
	magic       = "SQLite format 3\x00"
	headerSize  = 100
	mark        = "lgtm-lab backup "
	trailerMost = 4096
)

// ErrNoBackup says that a file is not a whole backup.
var ErrNoBackup = errors.New("this is not a whole backup of the users")

// Write makes a new file of the backup that from writes, and says what is in it. A file of
// that name exists afterwards only if the backup is whole, and is then on the disk; until
// then the file has a temporary name in the same folder. With overwrite it replaces an
// earlier backup, and never another file.
func Write(name string, overwrite bool, from func(io.Writer) error) (info Info, err error) {
	if err := Free(name, overwrite); err != nil {
		return info, err
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return info, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if err := from(file); err != nil {
		return info, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return info, err
	}
	if info, err = Read(file); err != nil {
		return info, fmt.Errorf("what the backend has sent: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return info, err
	}
	if err := Free(name, overwrite); err != nil {
		return info, err // made meanwhile
	}
	return info, os.Rename(file.Name(), name)
}

// Free returns an error if there is something at name that [Write] would not replace.
func Free(name string, overwrite bool) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if !overwrite {
		return fmt.Errorf("%s exists already: give another name, or replace it with --overwrite", name)
	}
	if _, err := Read(file); err != nil {
		return fmt.Errorf("%s is not replaced: %w", name, err)
	}
	return nil
}

// Read reads a whole backup, and says what is in it. It returns [ErrNoBackup] if the file
// is another one, or damaged. Whether the database in it is one that the backend knows is
// for the backend to say.
func Read(r io.Reader) (info Info, err error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil || !bytes.HasPrefix(header, []byte(magic)) {
		return info, fmt.Errorf("%w: it does not begin as one", ErrNoBackup)
	}
	size := databaseSize(header)
	sum := sha256.New()
	sum.Write(header)
	if n, err := io.CopyN(sum, r, max(0, size-headerSize)); err != nil {
		return info, fmt.Errorf("%w: it has %d bytes of %d", ErrNoBackup, n+headerSize, size)
	}
	trailer, err := io.ReadAll(io.LimitReader(r, trailerMost+1))
	if err != nil {
		return info, err
	}
	return parse(trailer, sum)
}

// databaseSize is how many bytes the database has whose header this is.
func databaseSize(header []byte) int64 {
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 1 << 16
	}
	return page * int64(binary.BigEndian.Uint32(header[28:]))
}

// parse reads the trailer of a backup whose other bytes have gone into sum.
func parse(trailer []byte, sum hash.Hash) (info Info, err error) {
	lines := bytes.SplitAfter(trailer, []byte("\n"))
	if len(lines) != 4 || len(lines[3]) != 0 || !bytes.HasPrefix(lines[0], []byte(mark)) {
		return info, fmt.Errorf("%w: it does not end as one", ErrNoBackup)
	}
	sum.Write(lines[0])
	sum.Write(lines[1])
	if want, err := hex.DecodeString(string(bytes.TrimSpace(lines[2]))); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return info, fmt.Errorf("%w: its SHA-256 is another than the one that it ends with", ErrNoBackup)
	}
	if err := json.Unmarshal(lines[1], &info); err != nil {
		return info, fmt.Errorf("%w: %w", ErrNoBackup, err)
	}
	return info, nil
}

// A Meter counts the bytes of a backup that pass through it on their way to W.
type Meter struct {
	W io.Writer
	// Show gets how many bytes have passed, and how many pass in all, 0 if that is not
	// known yet.
	Show func(done, total int64)

	header      []byte
	done, total int64
}

// Write implements [io.Writer].
func (m *Meter) Write(p []byte) (int, error) {
	if missing := headerSize - len(m.header); missing > 0 {
		m.header = append(m.header, p[:min(missing, len(p))]...)
		if len(m.header) == headerSize {
			m.total = databaseSize(m.header)
		}
	}
	n, err := m.W.Write(p)
	m.done += int64(n)
	m.Show(min(m.done, m.total), m.total)
	return n, err
}
