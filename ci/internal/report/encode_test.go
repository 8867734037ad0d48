package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// A document that keeps the contract, with every kind of value.
type document struct {
	embedded
	Started  time.Time         `json:"started"`
	Took     float64           `json:"duration_seconds"`
	Memory   uint64            `json:"memory_bytes"`
	Rate     float64           `json:"rate_per_second"`
	Address  netip.Addr        `json:"address"`
	Labels   map[string]string `json:"labels"`
	Parts    []part            `json:"parts"`
	Last     *part             `json:"last,omitempty"`
	Size     string            `json:"size"` // a word, such as "large"
	NotThere func()            `json:"-"`
	hidden   int
}

type embedded struct {
	Name string `json:"name"`
}

type part struct {
	Name  string `json:"name"`
	Parts []part `json:"parts"`
}

func TestEncode(t *testing.T) {
	d := document{
		embedded: embedded{"a <b>"}, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 1.5, Memory: 7, Rate: 2,
		Address: netip.MustParseAddr("127.0.0.1"), Labels: map[string]string{"camelCase": "\x1b[31m\u202e"}, Parts: []part{}, hidden: 1,
	}
	var got bytes.Buffer
	if err := report.Encode(&got, "sample", d); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "schema_version": 1,
  "kind": "sample",
  "name": "a <b>",
  "started": "2026-01-02T03:04:05Z",
  "duration_seconds": 1.5,
  "memory_bytes": 7,
  "rate_per_second": 2,
  "address": "127.0.0.1",
  "labels": {
    "camelCase": "\u001b[31m\u202e"
  },
  "parts": [],
  "size": ""
}
`
	if got.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", got.String(), want)
	}
	got.Reset()
	if err := report.Encode(&got, "empty", struct{}{}); err != nil || !json.Valid(got.Bytes()) {
		t.Errorf("a document without fields: %v, %q", err, got.String())
	}
}

// Each breach of the contract is an error that names it, and nothing is written.
func TestEncodeRefuses(t *testing.T) {
	type recursive struct {
		Next *recursive `json:"Next"`
	}
	for want, v := range map[string]any{
		`"startedAt" is not snake_case`: struct {
			A time.Time `json:"startedAt"`
		}{},
		`"rate_" is not snake_case`: struct {
			A int `json:"rate_"`
		}{},
		"has no name in JSON": struct{ Started time.Time }{},
		"add a tag": struct {
			A int `json:",omitempty"`
		}{},
		"write seconds, and end the name in _seconds": struct {
			A float64 `json:"duration"`
		}{},
		`"wait_ms" is a time`: struct {
			A *int `json:"wait_ms"`
		}{},
		"write bytes, and end the name in _bytes": struct {
			A uint64 `json:"memory"`
		}{},
		`"disk_mb" is a size`: struct {
			A int `json:"disk_mb"`
		}{},
		"is a time.Duration: write a number of seconds": struct {
			A time.Duration `json:"took_seconds"`
		}{},
		"can be anything": struct {
			A any `json:"a"`
		}{},
		"marshals itself": struct {
			A json.RawMessage `json:"a"`
		}{},
		`A[…].B: the name "bB" is not snake_case`: struct {
			A map[string][]struct {
				B int `json:"bB"`
			} `json:"a"`
		}{},
		`"Next" is not snake_case`:       recursive{},
		"[]int is not a struct":          []int{1},
		"map[string]int is not a struct": map[string]int{},
		"<nil> is not a struct":          nil,
		"has a field schema_version of its own": struct {
			A int `json:"schema_version"`
		}{},
		"report.Report marshals itself, so its fiel": report.Report{},
	} {
		var b bytes.Buffer
		err := report.Encode(&b, "sample", v)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: error %v, want one that says %q", v, err, want)
		}
		if b.Len() > 0 {
			t.Errorf("%T: wrote %q", v, b.String())
		}
	}
	broken := errors.New("the disk is full")
	if err := report.Encode(failing{broken}, "sample", struct{}{}); !errors.Is(err, broken) {
		t.Errorf("writing fails: error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var _ io.Writer = failing{}

func TestDecode(t *testing.T) {
	for doc, want := range map[string]string{
		`{"schema_version":1,"kind":"sample","name":"a"}`: "",
		`{"schema_version":2,"kind":"sample"}`:            "its schema_version is 2, and this lab reads 1",
		`{"kind":"sample"}`:                               "its schema_version is 0",
		`{"schema_version":1,"kind":"other"}`:             `its kind is "other", want "sample"`,
		`{"schema_version":1,"kind":"sample","name":1}`:   "cannot unmarshal",
		`{}`:   `its kind is "", want "sample"`,
		`[1]`:  "cannot unmarshal",
		`what`: "invalid character",
		``:     "unexpected end",
	} {
		var got embedded
		err := report.Decode([]byte(doc), "sample", &got)
		switch {
		case want == "" && (err != nil || got.Name != "a"):
			t.Errorf("%s: %v, %+v", doc, err, got)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want one that says %q", doc, err, want)
		}
	}
}
