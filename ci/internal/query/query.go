// Package query reads logs, traces and metrics from Loki, Tempo and Mimir through their
// HTTP APIs, as Grafana does. It also asks Grafana for its data sources and dashboards.
package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrNotFound says that Tempo does not have the trace (yet), or Grafana the data source
// or dashboard.
var ErrNotFound = errors.New("not found")

// maxBody bounds an answer; 10,000 log lines with their labels are about 10 MB.
const maxBody = 256 << 20

// maxQuote bounds what a message quotes of an answer, in bytes.
const maxQuote = 300

// statusError is an answer other than 200.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// Refused reports whether an error is a store's refusal of the question itself, such as a
// query that does not parse: asking again cannot help.
func Refused(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	return ok && (status.code == http.StatusBadRequest || status.code == http.StatusUnprocessableEntity)
}

// fetch sends a request and returns the body of a 200. Any other answer is a
// *statusError that quotes the backend's own words.
func fetch(ctx context.Context, client *http.Client, req *http.Request) ([]byte, error) {
	resp, err := client.Do(req.WithContext(ctx))
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which has the whole query in it
		}
		return nil, fmt.Errorf("asking %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{resp.StatusCode, fmt.Sprintf("%s answered %s: %s", req.URL.Path, resp.Status, quote(body))}
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the answer of %s is longer than %d MB", req.URL.Path, maxBody>>20)
	}
	return body, nil
}

// getJSON fetches base+path?params and decodes the answer.
func getJSON(ctx context.Context, client *http.Client, base, path string, params url.Values, into any) error {
	req, err := http.NewRequest(http.MethodGet, base+path+"?"+params.Encode(), nil)
	if err != nil {
		return err
	}
	body, err := fetch(ctx, client, req)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return unexpected(path, err, body)
	}
	return nil
}

// unexpected is the error for an answer of 200 that cannot be read, such as a proxy's
// page.
func unexpected(path string, err error, body []byte) error {
	return fmt.Errorf("%s: unexpected answer: %w: %s", path, err, quote(body))
}

// quote is the beginning of an answer, in one line.
func quote(body []byte) string {
	words := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), maxQuote)]), "?")), " ")
	switch {
	case len(body) > maxQuote:
		return words + "…"
	case words == "":
		return "(no text)"
	}
	return words
}

// number reads the value of a sample: a time, and a number as a string.
func number(sample [2]json.RawMessage) (float64, error) {
	var text string
	if err := json.Unmarshal(sample[1], &text); err != nil {
		return 0, fmt.Errorf("a sample without a value: %w", err)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) { // every comparison with NaN is false, and would not notice it
		return 0, fmt.Errorf("a sample with the value %.50q, which is not a number", text)
	}
	return v, nil
}

// seconds writes a time as Prometheus' API takes it: seconds since 1970 with a
// fraction.
func seconds(t time.Time) string {
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}
