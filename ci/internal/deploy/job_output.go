package deploy

import (
	"bytes"
	"strings"
)

// progressMark is the beginning of a Job's lines of progress.
const progressMark = "· "

// splitter separates the lines of progress from the rest of a Job's output.
type splitter struct {
	// progress gets the lines of progress without their mark, except the first skip
	// lines. It may be nil.
	progress func(line string)
	skip     int
	// rest gets all other lines. It may be nil.
	rest *[]byte

	seen int
	part []byte
}

// Write implements io.Writer. It never fails.
func (s *splitter) Write(p []byte) (int, error) {
	s.part = append(s.part, p...)
	for {
		i := bytes.IndexByte(s.part, '\n')
		if i < 0 {
			return len(p), nil
		}
		s.line(s.part[:i+1])
		s.part = s.part[i+1:]
	}
}

// flush treats the text after the last end of line as a line.
func (s *splitter) flush() {
	if len(s.part) > 0 {
		s.line(s.part)
		s.part = nil
	}
}

func (s *splitter) line(line []byte) {
	text, marked := strings.CutPrefix(string(line), progressMark)
	if !marked {
		if s.rest != nil {
			*s.rest = append(*s.rest, line...)
		}
		return
	}
	if s.seen++; s.seen > s.skip && s.progress != nil {
		s.progress(strings.TrimRight(text, "\r\n"))
	}
}
