package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// A guest is an application that does not belong to the lab. The tests send straight to Alloy
// the requests that the guest's SDK would send.

// notUTF8 is the text in a message; sentUTF8 is sent in its place, and ends with two bytes that
// are not valid text. Go's protobuf does not write such a string, but those of other languages
// do. mendedUTF8 is the text that is stored.
const (
	notUTF8    = "not UTF-8!"
	sentUTF8   = "not UTF-\xff\xfe"
	mendedUTF8 = "not UTF-??"
)

// send posts a request of OTLP; signal is "traces", "metrics" or "logs". It returns
// the status and the text of the answer.
func (l *testLab) send(signal string, message proto.Message) (status int, answer string) {
	l.Helper()
	raw, err := proto.Marshal(message)
	if err != nil {
		l.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte(notUTF8), []byte(sentUTF8))
	return l.post("/v1/"+signal, "application/x-protobuf", raw)
}

// mustSend posts a request that Alloy must accept.
func (l *testLab) mustSend(signal string, message proto.Message) {
	l.Helper()
	if status, answer := l.send(signal, message); status != http.StatusOK {
		l.Fatalf("sending %s: %d %s", signal, status, answer)
	}
}

// post sends bytes to Alloy's receiver.
func (l *testLab) post(path, contentType string, body []byte) (status int, answer string) {
	l.Helper()
	address := "http://" + target.Loopback(l.ports.AlloyOTLPHTTP) + path
	response, err := (&http.Client{Timeout: time.Minute}).Post(address, contentType, bytes.NewReader(body))
	if err != nil {
		l.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1000))
	if err != nil {
		l.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// attributes makes OTLP's list of keys and values out of pairs: a string, an int or
// a float64 for each key. A nil value is a key without one.
func attributes(pairs ...any) []*commonpb.KeyValue {
	var all []*commonpb.KeyValue
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, &commonpb.KeyValue{Key: pairs[i].(string), Value: anyValue(pairs[i+1])})
	}
	return all
}

func anyValue(v any) *commonpb.AnyValue {
	switch v := v.(type) {
	case string:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}
	case int:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(v)}}
	case float64:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v}}
	}
	return nil
}

// resource describes a sender; pairs are more attributes.
func resource(service string, pairs ...any) *resourcepb.Resource {
	return &resourcepb.Resource{Attributes: attributes(append([]any{"service.name", service}, pairs...)...)}
}

// randomID returns n random bytes in hexadecimal.
func randomID(n int) string { return hex.EncodeToString(randomBytes(n)) }

func randomBytes(n int) []byte {
	raw := make([]byte, n)
	rand.Read(raw) // never fails
	return raw
}

func nanos(t time.Time) uint64 { return uint64(t.UnixNano()) }

func (l *testLab) tempo() query.Tempo { return query.Tempo{URL: l.addresses.Tempo, HTTP: client} }
func (l *testLab) mimir() query.Mimir { return query.Mimir{URL: l.addresses.Mimir, HTTP: client} }

// counter adds up a component's own series whose name and labels match the pattern. In
// a borrowed lab it returns by how much the sum has risen since the test has the lab.
func (l *testLab) counter(component, pattern string) float64 {
	l.Helper()
	return l.value(component, pattern) - l.sum(l.before[component], pattern)
}

// value adds up the present values of a component's own series whose name and labels match
// the pattern.
func (l *testLab) value(component, pattern string) float64 {
	l.Helper()
	return l.sum(l.ownMetrics(component), pattern)
}

// ownMetrics returns the page of a component's own metrics.
func (l *testLab) ownMetrics(component string) string {
	l.Helper()
	response, err := client.Get(l.addresses.URL(component) + "/metrics")
	if err != nil {
		l.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		l.Fatal(err)
	}
	return string(page)
}

// sum adds up the values of a page's series whose name and labels match the pattern.
func (l *testLab) sum(page, pattern string) float64 {
	l.Helper()
	sum := 0.0
	for _, line := range regexp.MustCompile(`(?m)^`+pattern+`.* (\S+)$`).FindAllStringSubmatch(page, -1) {
		value, err := strconv.ParseFloat(line[len(line)-1], 64)
		if err != nil {
			l.Fatalf("%s: %v", line[0], err)
		}
		sum += value
	}
	return sum
}

// labels prints series for a message.
func labels(samples []query.Sample) string {
	var all []string
	for _, s := range samples {
		all = append(all, fmt.Sprint(s))
	}
	return strings.Join(all, "\n")
}
