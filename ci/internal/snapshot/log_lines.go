package snapshot

import (
	"cmp"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// clock returns the time of day of an event, in UTC.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// A logLine is one log line as the page shows it.
type logLine struct {
	Time, Service, Text string
	// Level is the line's own. Class is the class of the style sheet for levels that have
	// a colour.
	Level, Class string
	// Fields are further fields of the line, as name=value.
	Fields []string
}

// levelClass has the class of the style sheet for each level that has a colour.
var levelClass = map[string]string{
	"fatal": "error", "critical": "error", "error": "error", "warning": "warn", "warn": "warn", "info": "info",
}

// longestLine limits the text of a log line, in bytes.
const longestLine = 600

// lineFields are the fields of the services' log lines that the page shows. Loki writes
// an underscore where the attribute's name has a dot.
var lineFields = []string{
	"http_request_method", "url_path", "http_response_status_code", "duration_ms",
	"error_type", "error", "exception_message", "err", "trace_id",
}

func logLines(lines []query.Line) []logLine {
	var all []logLine
	for _, l := range lines {
		one := logLine{
			Time: clock(l.Time), Text: cut(l.Text, longestLine),
			Level:   strings.ToLower(cmp.Or(l.Labels["level"], l.Labels["detected_level"], l.Labels["severity_text"])),
			Service: cmp.Or(l.Labels["service_name"], l.Labels["job"]),
		}
		if strings.HasPrefix(l.Text, one.Service) {
			one.Service = ""
		}
		one.Class = levelClass[one.Level]
		for _, name := range lineFields {
			// Leave out what the text has already: the query may have put it there.
			if value := l.Labels[name]; value != "" && !strings.Contains(l.Text, value) {
				one.Fields = append(one.Fields, name+"="+cut(value, longestLine))
			}
		}
		all = append(all, one)
	}
	return all
}

// cut shortens a text to at most so many bytes, without splitting a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
