package traffic

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

const (
	userAgent = "lgtm-lab-traffic"
	pageSize  = 20 // users per list; a page is some 2 KB
)

// newTracePrefix returns 8 random bytes as 16 hex digits: the first half of every
// trace id of a run. The top bit is set, because some tools leave out leading zeros.
func newTracePrefix() string {
	var b [8]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	b[0] |= 0x80
	return hex.EncodeToString(b[:])
}

// numberDigits are the hex digits of the request's number in a trace id.
const numberDigits = 8

// TraceID is the trace id of request n (from 1) of the run with that prefix: the prefix of
// 16 hex digits, n as 4 bytes, big endian, and 4 bytes that look random and follow from n;
// 32 hex digits in all. Without the last, a sampler that hashes ids would keep all of the
// run's traces, or none: the last bytes hardly change the upper half of an FNV hash.
func TraceID(prefix string, n int) string {
	return fmt.Sprintf("%s%08x%08x", prefix, n, scatter(uint32(n)))
}

// Number is the number of the request with that trace id, if it is one of the run with
// that prefix.
func Number(prefix, id string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) < numberDigits {
		return 0, false
	}
	number, err := strconv.ParseUint(rest[:numberDigits], 16, 32)
	if err != nil || number == 0 || TraceID(prefix, int(number)) != id {
		return 0, false
	}
	return int(number), true
}

// Block is the beginning that the trace ids of 256 requests of a run have in common, and
// no other: of those from n on, if n is a multiple of 256.
func Block(prefix string, n int) string {
	return TraceID(prefix, n)[:len(prefix)+numberDigits-2]
}

// scatter spreads the numbers over all of 32 bits: 2^32 divided by the golden ratio, and
// steps of the hash MurmurHash3.
func scatter(n uint32) uint32 {
	n *= 0x9e3779b1
	n ^= n >> 15
	n *= 0x85ebca6b
	return n ^ n>>13
}

// header is the W3C header traceparent for a trace id.
func header(traceID string, sampled bool) string {
	text := traceparent.Header(traceID, traceparent.ClientSpanID(traceID))
	if !sampled {
		text = strings.TrimSuffix(text, "01") + "00"
	}
	return text
}

// outsideTrace is the traceparent of a request before or after a run. It begins a trace
// of its own, and asks for it not to be stored.
func outsideTrace() string {
	var n [8]byte
	rand.Read(n[:])
	return header(TraceID(newTracePrefix(), int(binary.BigEndian.Uint32(n[:])>>1)+1), false)
}

// email is the address of the user that request n creates; no other user has it.
func email(prefix string, n int) string {
	return fmt.Sprintf("%s%d@example.com", emailPrefix(prefix), n)
}

func emailPrefix(prefix string) string { return "traffic-" + prefix + "-" }

var (
	firstNames = strings.Fields("Ada Alan Barbara Claude Dennis Donald Edsger Frances Grace Hedy John Katherine Ken Leslie Margaret Niklaus Radia Shafi Tony Zoë")
	lastNames  = strings.Fields("Allen Borg Dijkstra Goldwasser Hamilton Hoare Hopper Johnson Knuth Lamarr Lamport Liskov Lovelace Moore Perlman Ritchie Shannon Thompson Turing Wirth")
)

// name is a person's name for request n. The lists' lengths, 20 and 19, have no
// common factor, so all pairs come up.
func name(n int) string { return firstNames[n%len(firstNames)] + " " + lastNames[n%len(lastNames)] }

// target turns a planned request into the one that vegeta sends. The fragment of
// the URL carries the sequence number to the result; it is not sent.
func (r planned) target(frontend, prefix, delay string, t *vegeta.Target) {
	traceID := TraceID(prefix, r.n)
	t.Method = http.MethodGet
	t.Header = http.Header{
		"Accept":       {"application/json"},
		"User-Agent":   {userAgent},
		"Traceparent":  {header(traceID, true)},
		"X-Request-Id": {fmt.Sprintf("%s-%d", prefix, r.n)},
	}
	path := "/api/users"
	switch r.kind {
	case List:
		path += "?limit=" + strconv.Itoa(pageSize)
		if r.cursor != "" {
			path += "&cursor=" + url.QueryEscape(r.cursor)
		}
	case Get, Missing:
		path += "/" + strconv.FormatInt(r.id, 10)
	case Stats:
		path = "/api/stats"
	case Create:
		t.Method = http.MethodPost
		t.Header.Set("Content-Type", "application/json")
		t.Body, _ = json.Marshal(map[string]string{"name": name(r.n), "email": email(prefix, r.n)}) // strings cannot fail
	case Delete:
		t.Method = http.MethodDelete
		path += "/" + strconv.FormatInt(r.id, 10)
	case Slow:
		t.Header.Set("Baggage", "lab.fault=delay:"+delay)
	case Failing:
		t.Header.Set("Baggage", "lab.fault=error")
	}
	t.URL = frontend + path + "#" + strconv.Itoa(r.n)
}

// sequence reads the sequence number that target put into the URL; 0 when the
// request was never made.
func sequence(rawURL string) int {
	_, fragment, _ := strings.Cut(rawURL, "#")
	n, err := strconv.Atoi(fragment)
	if err != nil {
		return 0
	}
	return n
}
