package report

import (
	"errors"
	"fmt"
	"os"
)

// Files are files that a report is written to besides standard output. They are
// opened before the work, so that a mistyped folder does not cost the user the report.
type Files struct {
	open []openFile
}

type openFile struct {
	file   *os.File
	format Format
}

// CreateFiles creates, or empties, a file for each format that has a name; "" is no
// file. It makes no folders. After an error no file is left open.
func CreateFiles(names map[Format]string) (*Files, error) {
	f := &Files{}
	for _, format := range Formats() {
		if names[format] == "" {
			continue
		}
		file, err := os.Create(names[format])
		if err != nil {
			f.Discard()
			return nil, fmt.Errorf("the file for the %s report: %w", format, err)
		}
		f.open = append(f.open, openFile{file, format})
	}
	return f, nil
}

// Write writes the report to every file and closes them, whatever happens to one.
func (f *Files) Write(r Report) error {
	var errs []error
	for _, o := range f.open {
		errs = append(errs, Write(o.file, o.format, r), o.file.Close())
	}
	f.open = nil
	return errors.Join(errs...)
}

// Discard closes and removes the files that nothing was written to, because there is
// no report. After Write it does nothing.
func (f *Files) Discard() {
	for _, o := range f.open {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
	f.open = nil
}
