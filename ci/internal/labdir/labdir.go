// Package labdir keeps the lab's folder apart from other people's: lab writes into a
// folder, and deletes from one, only when lab has made it and marked it.
//
// A folder becomes the lab's when it does not exist or is empty, and then holds a
// mark, the file [MarkName]. A folder that an earlier version of the lab has made, and
// that nothing else could have made, is marked when it is used again.
package labdir

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
)

// MarkName is the file that makes a folder the lab's.
const MarkName = "lgtm-lab.json"

// about tells a person what the mark is for.
const about = "The `lab` command of lgtm-lab made this folder. It may replace and delete what it has put here."

// OfUser is the usual folder of the lab outside of a checkout: lgtm-lab in the folder where
// the user's programs keep their state. It is the same one from every working directory.
// It need not be there yet.
func OfUser(getenv func(string) string) (string, error) {
	base := getenv("XDG_STATE_HOME") // https://specifications.freedesktop.org/basedir-spec
	if !filepath.IsAbs(base) {
		var err error
		switch runtime.GOOS {
		case "windows":
			base, err = os.UserCacheDir() // %LocalAppData%, of this machine alone
		case "darwin":
			base, err = os.UserConfigDir() // ~/Library/Application Support
		default:
			base, err = os.UserHomeDir()
			base = filepath.Join(base, ".local", "state")
		}
		if err != nil {
			return "", fmt.Errorf("no folder for the lab (%w): name one with --dir or LAB_DIR", err)
		}
	}
	return filepath.Join(base, "lgtm-lab"), nil
}

// A Folder is a folder of the lab's.
type Folder struct {
	// Path is absolute, and has no symbolic link in it.
	Path string
	// ID tells the folder from all others, wherever it is moved to. It is "" while
	// the folder has no mark.
	ID string
	// IsTemporary says that the folder was made for one run.
	IsTemporary bool
}

// mark is the content of the mark.
type mark struct {
	About string `json:"about"`
	ID    string `json:"id"`
	// Path is where the folder was when lab last used it; a copy has the path of the original.
	Path        string `json:"path"`
	IsTemporary bool   `json:"is_temporary,omitempty"`
}

// A Kind says what a folder is to the lab.
type Kind int

// The kinds of folder.
const (
	Absent   Kind = iota // not there: lab may make it
	Empty                // lab may use it
	Marked               // the lab's
	Unmarked             // the lab's, of a version that did not mark its folders
	Copied               // a copy of a folder that is still there: the lab's, but the processes that its state names are the other folder's
	Foreign              // somebody else's
)

// ErrForeign says that a folder is not the lab's.
var ErrForeign = errors.New("lab did not make this folder")

// Inspect looks at a folder and changes nothing. It fails when the folder cannot be
// read; what is foreign is a Kind and no error.
func Inspect(dir string) (Folder, Kind, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return Folder{}, Foreign, err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return Folder{}, Foreign, fmt.Errorf("%s is a symbolic link that leads nowhere", path)
		}
		return Folder{Path: path}, Absent, nil
	}
	if err != nil {
		return Folder{}, Foreign, err
	}
	f := Folder{Path: real}
	entries, err := os.ReadDir(real)
	if err != nil {
		return f, Foreign, err
	}
	raw, err := os.ReadFile(filepath.Join(real, MarkName))
	if errors.Is(err, fs.ErrNotExist) {
		return f, kindOfUnmarked(real, entries), nil
	}
	if err != nil {
		return f, Foreign, err
	}
	var m mark
	if err := json.Unmarshal(raw, &m); err != nil || m.ID == "" {
		return f, Foreign, fmt.Errorf("%s is damaged: lab cannot tell whether it made the folder. Delete the folder, or name another with --dir", filepath.Join(real, MarkName))
	}
	f.ID, f.IsTemporary = m.ID, m.IsTemporary
	if isCopy(real, m) {
		return f, Copied, nil
	}
	return f, Marked, nil
}

// isCopy tells whether the mark is that of another folder, which is still there.
func isCopy(path string, m mark) bool {
	if m.Path == path {
		return false
	}
	here, err := os.Stat(path)
	if err != nil {
		return false
	}
	there, err := os.Stat(m.Path)
	if err != nil || os.SameFile(here, there) {
		return false
	}
	other, err := readMark(m.Path)
	return err == nil && other.ID == m.ID
}

func readMark(path string) (mark, error) {
	var m mark
	raw, err := os.ReadFile(filepath.Join(path, MarkName))
	if err != nil {
		return m, err
	}
	err = json.Unmarshal(raw, &m)
	return m, err
}

// Claim makes a folder the lab's: it makes the folder when there is none, and marks
// it. It fails with [ErrForeign], and changes nothing, when the folder holds something
// that is not the lab's.
func Claim(dir string) (Folder, error) {
	if strings.ContainsFunc(dir, unicode.IsControl) {
		return Folder{}, fmt.Errorf("%q has a control character in its name; name another folder with --dir", dir)
	}
	f, kind, err := Inspect(dir)
	if err != nil {
		return f, err
	}
	switch kind {
	case Foreign:
		return f, refusal(f.Path)
	case Absent:
		if err := os.MkdirAll(f.Path, 0o755); err != nil {
			return f, fmt.Errorf("making the lab's folder: %w", err)
		}
		if f.Path, err = filepath.EvalSymlinks(f.Path); err != nil {
			return f, err
		}
	case Copied:
		// The processes that the state names are the other folder's.
		f.ID = ""
		if err := f.Remove("state.json", "owner"); err != nil {
			return f, err
		}
	}
	err = f.mark()
	return f, err
}

// mark writes the mark, unless it is there and right.
func (f *Folder) mark() error {
	m, err := readMark(f.Path)
	if err == nil && f.ID == m.ID && m.Path == f.Path {
		return nil
	}
	if f.ID == "" {
		f.ID = rand.Text()
	}
	if err := f.write(); err != nil {
		return err
	}
	// Of two that mark a folder at the same time, the later mark holds.
	if m, err = readMark(f.Path); err == nil {
		f.ID = m.ID
	}
	return err
}

// write writes the mark.
func (f Folder) write() error {
	raw, err := json.MarshalIndent(mark{About: about, ID: f.ID, Path: f.Path, IsTemporary: f.IsTemporary}, "", "  ")
	if err != nil {
		return err
	}
	if err := f.Write(MarkName, append(raw, '\n')); err != nil {
		return fmt.Errorf("marking the lab's folder: %w", err)
	}
	return nil
}

// refusal is the error of a folder that is not the lab's.
func refusal(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries[:min(len(entries), 3)] {
		names = append(names, fmt.Sprintf("%q", e.Name()))
	}
	holds := strings.Join(names, ", ")
	if more := len(entries) - len(names); more > 0 {
		holds += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%s: %w, and it holds %s. Nothing was changed. Name a folder that does not exist or is empty, with --dir or LAB_DIR",
		path, ErrForeign, holds)
}
