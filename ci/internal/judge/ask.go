package judge

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// askLimit bounds one question to a store.
const askLimit = 15 * time.Second

// before is how long before the run's beginning its telemetry may say that it was: a seed's
// span ends when it is sent, and began before. A run's id is the run's alone, so that no
// other telemetry is let in.
const before = time.Hour

// from is the beginning of the time that is asked for.
func (s Scope) from() time.Time {
	if s.RunID != "" {
		return s.Since.Add(-before)
	}
	return s.Since
}

// to is the end of the time that is asked for: clocks may be a little ahead.
func (s Scope) to() time.Time { return time.Now().Add(time.Minute) }

// failed makes the verdict of a question that the store has not answered. parse asks the
// store about the query as it is written in the case, so that places in the store's words
// are places in the file.
func (v *Verdict) failed(ctx context.Context, err error, store string, parse func(context.Context) error) {
	v.OK = false
	v.Failures = []Failure{{Rule: "query", Message: store + " has not answered: " + err.Error()}}
	if errors.Is(err, context.DeadlineExceeded) {
		v.Failures[0].Message = store + " has not answered within " + askLimit.String()
	}
	if !query.Refused(err) {
		return
	}
	v.Final = true
	if original := parse(ctx); query.Refused(original) {
		err = original
	}
	v.Failures[0].Message = store + " refuses the query: " + words(err)
}

// finish says that the verdict is OK when no rule has failed.
func (v Verdict) finish() Verdict {
	v.OK = len(v.Failures) == 0
	return v
}

var (
	jsonError = regexp.MustCompile(`"(?:error|message)":\s*("(?:[^"\\]|\\.)*")`)
	answered  = regexp.MustCompile(`^.*? answered [0-9]{3} [A-Za-z ]+: `)
)

// words are the store's own words in an error.
func words(err error) string {
	text := err.Error()
	if m := jsonError.FindStringSubmatch(text); m != nil {
		var plain string
		if json.Unmarshal([]byte(m[1]), &plain) == nil {
			return plain
		}
	}
	return answered.ReplaceAllString(text, "")
}
