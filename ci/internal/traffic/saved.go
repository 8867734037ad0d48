package traffic

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// comparableFor is how long after traffic its counters can still be compared: verify
// looks back that far in Mimir. Loki and Tempo answer for a day at the least.
const comparableFor = 10 * time.Minute

// Save writes the report to a file that [Load] reads, and makes the file's folder.
func (r Report) Save(file string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}

// Load reads a report from a file, or from the text itself when it is a JSON object.
// It fails when the traffic ended too long ago to be compared with what is stored.
func Load(file string) (*Report, error) {
	raw := []byte(file)
	if !strings.HasPrefix(file, "{") {
		var err error
		if raw, err = os.ReadFile(file); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no report of traffic in %s; run `lab traffic` first", file)
		} else if err != nil {
			return nil, err
		}
	}
	var r Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("%s is not a report of traffic: %w", beginning(file), err)
	}
	if age := time.Since(r.Finished); age > comparableFor {
		return nil, fmt.Errorf("that traffic ended %v ago; its counters can be compared for %v", age.Round(time.Minute), comparableFor)
	}
	return &r, nil
}

// beginning is the first part of a text, for a message.
func beginning(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
