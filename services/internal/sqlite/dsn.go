package sqlite

import (
	"net/url"
	"path/filepath"
	"strings"
)

// dataSource returns the driver's URI for a file. The path may contain any character.
// The URI must begin with "file:", because otherwise the driver ignores SQLite's own
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
