package sqlite

import (
	"net/url"
	"path/filepath"
	"strings"
)

// dataSource makes the driver's URI of a file's path, whatever is in the path.
// The form "file:" matters: without it the driver would drop SQLite's own
// parameters.
func dataSource(path, query string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/users.db
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: query}).String(), nil
}
