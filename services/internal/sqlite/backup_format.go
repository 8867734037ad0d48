package sqlite

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
	"time"
)

// A backup is an SQLite database that any SQLite opens, with a trailer behind its last
// page, which SQLite ignores. The trailer has three lines: the mark with the version of
// the format, a [BackupInfo] as JSON, and the SHA-256 of all bytes before that line.
//
// The fields of SQLite's header (https://www.sqlite.org/fileformat.html) that a backup has
// values of its own in are these offsets.
const (
	headerMagic         = "SQLite format 3\x00"
	headerPageSize      = 16 // 2 bytes; 1 stands for 65536
	headerWriteVersion  = 18 // 1: the file needs no write-ahead log
	headerReadVersion   = 19
	headerChangeCounter = 24
	headerPages         = 28
	headerApplicationID = 68
	headerVersionValid  = 92 // the change counter that headerPages is valid for
)

// applicationID marks a backup: "LGTM".
const applicationID = 0x4c47544d

const (
	trailerMark   = "lgtm-lab backup "
	trailerFormat = 1
	trailerMost   = 4096 // the most bytes that a trailer has
)

// BackupInfo says what a backup holds.
type BackupInfo struct {
	// Users is how many users it has.
	Users int64 `json:"users"`
	// Schema is the newest migration that its database has had.
	Schema string `json:"schema"`
	// CreatedAt is when it was begun, in UTC: every user created before is in it.
	CreatedAt time.Time `json:"created_at"`
	// Bytes is the size of its database, without the trailer.
	Bytes int64 `json:"bytes"`
}

var (
	// ErrForeign means that a file was not written by [Backup].
	ErrForeign = errors.New("this file is not a backup of the users: give a file that the command backup has written")
	// ErrNewer means that a backup comes from a later version of the backend.
	ErrNewer = errors.New("this backup comes from a newer version: restore it with that version or a later one")
	// ErrDamaged means that a backup is not as [Backup] wrote it.
	ErrDamaged = errors.New("this backup is damaged: copy it from where it was made once more, or take another one")
)

// writeTrailer ends a backup whose pages have gone to w and into sum.
func writeTrailer(w io.Writer, sum hash.Hash, info BackupInfo) error {
	description, err := json.Marshal(info)
	if err != nil {
		return err
	}
	begin := fmt.Sprintf("%s%d\n%s\n", trailerMark, trailerFormat, description)
	sum.Write([]byte(begin)) // never fails
	_, err = fmt.Fprintf(w, "%s%x\n", begin, sum.Sum(nil))
	return err
}

// parseTrailer reads the trailer of a backup whose pages have gone into sum.
func parseTrailer(trailer []byte, sum hash.Hash) (info BackupInfo, err error) {
	if len(trailer) == 0 {
		return info, fmt.Errorf("%w: its end is missing", ErrDamaged)
	}
	var format int
	if n, _ := fmt.Sscanf(string(trailer), trailerMark+"%d\n", &format); n != 1 {
		return info, fmt.Errorf("%w: its end cannot be read", ErrDamaged)
	}
	if format > trailerFormat {
		return info, fmt.Errorf("%w: it has the format %d, and this version knows those up to %d", ErrNewer, format, trailerFormat)
	}
	lines := bytes.SplitAfter(trailer, []byte("\n"))
	if len(lines) != 4 || len(lines[3]) != 0 {
		return info, fmt.Errorf("%w: its end cannot be read", ErrDamaged)
	}
	sum.Write(lines[0])
	sum.Write(lines[1])
	want, err := hex.DecodeString(string(bytes.TrimSpace(lines[2])))
	if err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return info, fmt.Errorf("%w: its SHA-256 is another than the one that it ends with", ErrDamaged)
	}
	if err := json.Unmarshal(lines[1], &info); err != nil {
		return info, fmt.Errorf("%w: its end cannot be read", ErrDamaged)
	}
	return info, nil
}

// backupHeader changes the header of a database, in its first page, to that of a backup.
func backupHeader(page []byte, pages int) {
	page[headerWriteVersion], page[headerReadVersion] = 1, 1
	binary.BigEndian.PutUint32(page[headerPages:], uint32(pages))
	copy(page[headerVersionValid:headerVersionValid+4], page[headerChangeCounter:])
	binary.BigEndian.PutUint32(page[headerApplicationID:], applicationID)
}

// databaseSize returns how many bytes the database has whose file begins with this header.
// It returns [ErrForeign] if the header is not a backup's.
func databaseSize(header []byte) (int64, error) {
	if !bytes.HasPrefix(header, []byte(headerMagic)) || binary.BigEndian.Uint32(header[headerApplicationID:]) != applicationID {
		return 0, ErrForeign
	}
	size := int64(binary.BigEndian.Uint16(header[headerPageSize:]))
	if size == 1 {
		size = 1 << 16
	}
	pages := int64(binary.BigEndian.Uint32(header[headerPages:]))
	if size < 512 || size&(size-1) != 0 || pages == 0 {
		return 0, fmt.Errorf("%w: its header makes no sense", ErrDamaged)
	}
	return pages * size, nil
}

// newSum is the checksum of a backup.
func newSum() hash.Hash { return sha256.New() }
