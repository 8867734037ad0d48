package main

import (
	"net/url"
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{formatCount(0), "0"}, {formatCount(999), "999"}, {formatCount(1000), "1,000"}, {formatCount(1234567), "1,234,567"}, {formatCount(-1000), "-1,000"},
		{formatSize(0), "0 B"}, {formatSize(1023), "1023 B"}, {formatSize(1024), "1.0 KiB"}, {formatSize(53248), "52 KiB"},
		{formatSize(1 << 20), "1.0 MiB"}, {formatSize(5 << 50), "5120 TiB"},
		{formatUptime(0), "0 s"}, {formatUptime(59 * time.Second), "59 s"}, {formatUptime(time.Minute), "1 min"},
		{formatUptime(3*time.Hour + 12*time.Minute), "3 h 12 min"}, {formatUptime(50 * time.Hour), "2 d 2 h"},
		{formatDuration(1500 * time.Microsecond), "1.5 ms"}, {formatDuration(750 * time.Millisecond), "750 ms"}, {formatDuration(1234 * time.Millisecond), "1.23 s"},
		{formatTime(time.Date(2026, 1, 2, 1, 4, 5, 0, time.FixedZone("", 7200))), "2026-01-01 23:04"},
	} {
		if test.got != test.want {
			t.Errorf("= %q, want %q", test.got, test.want)
		}
	}
}

// FuzzParseFlash checks that any flash that parseFlash accepts is within bounds, and
// stays the same when it is encoded and decoded again.
func FuzzParseFlash(f *testing.F) {
	f.Add("did=add&status=201&ms=12.3&id=1&trace=0123456789abcdef0123456789abcdef")
	f.Add("did=slow&status=200&ms=0x1p-2")
	f.Add("did=off&status=200&ms=1e9&id=%00")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		h, ok := parseFlash(q)
		if !ok {
			return
		}
		if h.status < 200 || h.status > 599 || h.took < 0 || h.took > maxDuration || h.id < 0 || h.trace.id != "" && !traceID.MatchString(h.trace.id) {
			t.Errorf("parseFlash returned %+v", h)
		}
		again, ok := parseFlash(h.query())
		if !ok || again.query().Encode() != h.query().Encode() {
			t.Errorf("%+v became %+v", h, again)
		}
	})
}
