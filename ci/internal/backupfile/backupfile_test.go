package backupfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// whole is a backup of two pages, as far as this package looks into one.
func whole() []byte {
	b := make([]byte, 2*512)
	copy(b, magic)
	binary.BigEndian.PutUint16(b[16:], 512)
	binary.BigEndian.PutUint32(b[28:], 2)
	b = fmt.Appendf(b, "%s1\n{\"users\":7,\"schema\":\"20260101000000\",\"created_at\":\"2026-01-02T15:04:05Z\"}\n", mark)
	return fmt.Appendf(b, "%x\n", sha256.Sum256(b))
}

func sends(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

// A file has the name only if the backup is whole, and no other file is left.
func TestWrite(t *testing.T) {
	broken := errors.New("the connection broke")
	flipped := whole()
	flipped[600] ^= 1
	for name, from := range map[string]func(io.Writer) error{
		"nothing":   sends(nil),
		"cut short": sends(whole()[:900]),
		"no end":    sends(whole()[:1024]),
		"flipped":   sends(flipped),
		"too long":  sends(append(whole(), '\n')),
		"text":      sends(bytes.Repeat([]byte("text"), 500)),
		"broken":    func(w io.Writer) error { _, _ = w.Write(whole()); return broken },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Write(filepath.Join(dir, "users.backup"), false, from); !errors.Is(err, ErrNoBackup) && !errors.Is(err, broken) {
				t.Errorf("Write() = %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "users.backup")
	if info, err := Write(file, false, sends(whole())); err != nil || info.Users != 7 || info.Schema != "20260101000000" || info.CreatedAt.Year() != 2026 {
		t.Errorf("Write() = %+v, %v", info, err)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, whole()) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
}

// A file that is there is replaced only if it is a backup and the caller says so.
func TestOverwrite(t *testing.T) {
	dir := t.TempDir()
	earlier, other := filepath.Join(dir, "earlier"), filepath.Join(dir, "other")
	if err := errors.Join(os.WriteFile(earlier, whole(), 0o600), os.WriteFile(other, []byte("a person's own"), 0o600)); err != nil {
		t.Fatal(err)
	}
	never := func(io.Writer) error { t.Error("the backup was made although it has no place"); return nil }
	if _, err := Write(earlier, false, never); err == nil || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("Write() = %v over a file", err)
	}
	if _, err := Write(other, true, never); !errors.Is(err, ErrNoBackup) {
		t.Errorf("Write() = %v over a file that is no backup", err)
	}
	if _, err := Write(earlier, true, sends(nil)); err == nil {
		t.Error("Write() = nil without a backup")
	}
	if got, err := os.ReadFile(earlier); err != nil || !bytes.Equal(got, whole()) {
		t.Errorf("a backup that failed has changed the earlier one: %d bytes, %v", len(got), err)
	}
	if _, err := Write(earlier, true, sends(whole())); err != nil {
		t.Errorf("Write() = %v over a backup", err)
	}
}

func TestMeter(t *testing.T) {
	var shown []string
	m := &Meter{W: io.Discard, Show: func(done, total int64) { shown = append(shown, fmt.Sprint(done, "/", total)) }}
	b := whole()
	for _, part := range [][]byte{b[:50], b[50:600], b[600:]} {
		if n, err := m.Write(part); n != len(part) || err != nil {
			t.Errorf("Write() = %d, %v", n, err)
		}
	}
	if got, want := strings.Join(shown, " "), "0/0 600/1024 1024/1024"; got != want {
		t.Errorf("shown %s, want %s", got, want)
	}
}
