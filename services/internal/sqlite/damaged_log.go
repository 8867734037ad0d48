package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
)

// The write-ahead log is a header and frames, each a header and a page of the database
// (https://www.sqlite.org/fileformat2.html#walformat).
const (
	logHeaderSize   = 32
	frameHeaderSize = 24
	// The last bit of the log's first four bytes says how its checksums read the numbers.
	logMagic = 0x377f0682
)

// warnOfDamagedLog says what the database will lack. It keeps no copy of the log: that would
// keep what users have had deleted.
func warnOfDamagedLog(ctx context.Context, cfg Config) {
	transactions, err := unreadableLog(cfg.Path)
	if err == nil && transactions == 0 {
		return
	}
	cfg.Telemetry.Logger.LogAttrs(ctx, slog.LevelError, "the write-ahead log is damaged: the database lacks the changes behind the damage; `lab restore` brings a backup back",
		slog.Int("lost.transactions", transactions), slog.Any("error", err))
}

// unreadableLog counts the transactions that a database's write-ahead log has behind a damaged
// frame. SQLite reads a log up to the first frame that is not whole, and takes the rest for
// what an older log has left: without a word it opens a database that lacks them. A frame of an
// older log has other salts than the header, so that a frame with the header's salts behind
// one that is not whole tells of damage. A log that is torn at its very end has lost what was
// being written, and no more: that is 0. 0 is also the answer for a log that is not there.
//
// A frame that was written when the machine lost its power may be damaged in the same way.
func unreadableLog(path string) (transactions int, err error) {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	header := make([]byte, logHeaderSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return 0, ignoreEnd(err)
	}
	magic, pageSize := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[8:])
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	sum := logChecksum(order, [2]uint32{}, header[:24])
	if magic&^1 != logMagic || pageSize < 512 || pageSize > 65536 || sum != storedChecksum(header[24:]) {
		return 0, fmt.Errorf("%s has a damaged header, and none of it is read", f.Name())
	}
	whole := true
	frame := make([]byte, frameHeaderSize+pageSize)
	for {
		if _, err := io.ReadFull(f, frame); err != nil {
			return transactions, ignoreEnd(err)
		}
		ours := string(frame[8:16]) == string(header[16:24]) // the salts
		if !whole {
			if commits := binary.BigEndian.Uint32(frame[4:]) != 0; ours && commits {
				transactions++
			}
			continue
		}
		sum = logChecksum(order, logChecksum(order, sum, frame[:8]), frame[frameHeaderSize:])
		whole = ours && sum == storedChecksum(frame[16:])
	}
}

// ignoreEnd is nil at the end of a file, also in the middle of a frame.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func storedChecksum(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// logChecksum carries a checksum of the log on over more bytes, a multiple of eight.
func logChecksum(order binary.ByteOrder, sum [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		sum[0] += order.Uint32(b) + sum[1]
		sum[1] += order.Uint32(b[4:]) + sum[0]
	}
	return sum
}
