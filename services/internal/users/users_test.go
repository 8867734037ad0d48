package users

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalize(t *testing.T) {
	long := strings.Repeat("é", MaxName)
	address := func(bytes int) string {
		const domain = "@example.com"
		return strings.Repeat("a", bytes-len(domain)) + domain
	}
	tests := []struct {
		name     string
		in, want New
		invalid  []string // the fields that are wrong
	}{
		{"good", New{"Ada", "ada@example.com"}, New{"Ada", "ada@example.com"}, nil},
		{"trimmed", New{" Ada\t", "\n ada@example.com "}, New{"Ada", "ada@example.com"}, nil},
		{"longest", New{long, address(MaxEmail)}, New{long, address(MaxEmail)}, nil},
		{"any script", New{"阿达 🙂", "ada@exämple.com"}, New{"阿达 🙂", "ada@exämple.com"}, nil},
		{"case kept", New{"Ada", "Ada@Example.com"}, New{"Ada", "Ada@Example.com"}, nil},
		{"both empty", New{"", " "}, New{}, []string{"name", "email"}},
		{"too long", New{long + "é", address(MaxEmail + 1)}, New{}, []string{"name", "email"}},
		{"NUL", New{"A\x00a", "a\x00@example.com"}, New{}, []string{"name", "email"}},
		{"line break", New{"A\na", "ada@example.com\r\nBcc: x@example.com"}, New{}, []string{"name", "email"}},
		{"direction mark", New{"A\u202ea", "ada@example.com"}, New{}, []string{"name"}},
		{"line separator", New{"A\u2028a", "ada@example.com"}, New{}, []string{"name"}},
		{"not UTF-8", New{"A\xff", "ada@example.com"}, New{}, []string{"name"}},
		{"no address", New{"Ada", "ada"}, New{}, []string{"email"}},
		{"with a name", New{"Ada", "Ada <ada@example.com>"}, New{}, []string{"email"}},
		{"in brackets", New{"Ada", "<ada@example.com>"}, New{}, []string{"email"}},
		{"two addresses", New{"Ada", "a@example.com, b@example.com"}, New{}, []string{"email"}},
		{"with a comment", New{"Ada", "ada@example.com (Ada)"}, New{}, []string{"email"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.in.Normalize()
			if got != tt.want {
				t.Errorf("Normalize() = %q, want %q", got, tt.want)
			}
			var fields []string
			if invalid, ok := errors.AsType[*ValidationError](err); ok {
				for _, f := range invalid.Fields {
					fields = append(fields, f.Name)
					if f.Detail == "" {
						t.Errorf("%s is invalid without a detail", f.Name)
					}
				}
			} else if err != nil {
				t.Fatalf("Normalize() = %v", err)
			}
			if !slices.Equal(fields, tt.invalid) {
				t.Errorf("invalid are %v, want %v", fields, tt.invalid)
			}
		})
	}
}

func TestParseID(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "42": 42, "9223372036854775807": math.MaxInt64,
		"": 0, "0": 0, "-1": 0, "+1": 0, "01": 0, " 1": 0, "1 ": 0, "1.0": 0, "1e3": 0, "0x1": 0, "9223372036854775808": 0, "١": 0, "1\x00": 0,
	} {
		got, err := ParseID(text)
		if got != want || (want == 0) != errors.Is(err, ErrBadID) {
			t.Errorf("ParseID(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestCursor(t *testing.T) {
	for _, id := range []int64{1, 2, 255, 256, 1 << 40, math.MaxInt64} {
		c := Cursor{After: id}
		got, err := ParseCursor(c.String())
		if err != nil || got != c {
			t.Errorf("%d came back as %v, %v", id, got, err)
		}
	}
	if c, err := ParseCursor(""); err != nil || c != (Cursor{}) || c.String() != "" {
		t.Errorf("the beginning is %v, %v, %q", c, err, c)
	}
	good := Cursor{After: 7}.String()
	bad := []string{
		"7", "x", good[:len(good)-1], good + "A", good + "=", good[:5] + "\n" + good[5:], strings.ToLower(good),
		Cursor{After: -7}.String(), "AAAAAAAAAAAAAAAAAA", "' OR 1=1 --", "\x00",
	}
	for i := range good {
		flipped := []byte(good)
		flipped[i] = 'A' + (flipped[i]+1-'A')%26
		bad = append(bad, string(flipped))
	}
	for _, text := range bad {
		if got, err := ParseCursor(text); !errors.Is(err, ErrBadCursor) {
			t.Errorf("ParseCursor(%q) = %v, %v; want ErrBadCursor", text, got, err)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", Cursor{After: 1}.String(), Cursor{After: math.MaxInt64}.String(), "AAAA", "AQ\nAA", "=", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		switch {
		case err != nil && !errors.Is(err, ErrBadCursor):
			t.Fatalf("ParseCursor(%q) = %v", text, err)
		case err == nil && (c.String() != text || c.After < 0):
			t.Fatalf("ParseCursor(%q) = %v, which is written %q", text, c, c)
		}
	})
}

func FuzzParseID(f *testing.F) {
	for _, seed := range []string{"1", "0", "-1", "007", "9223372036854775807", "9223372036854775808", "1_000", "٣", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		digits := text != "" && strings.Trim(text, "0123456789") == "" && text[0] != '0'
		switch {
		case err == nil && (id < 1 || !digits):
			t.Fatalf("ParseID(%q) = %d", text, id)
		case err != nil && (!errors.Is(err, ErrBadID) || digits && len(text) < 19):
			t.Fatalf("ParseID(%q) = %v", text, err)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add("Ada", "ada@example.com")
	f.Add("\u202e", "\"a b\"@example.com")
	f.Add("a\x00", "a@[127.0.0.1]")
	f.Fuzz(func(t *testing.T, name, email string) {
		got, err := New{Name: name, Email: email}.Normalize()
		if err != nil {
			if invalid, ok := errors.AsType[*ValidationError](err); !ok || len(invalid.Fields) == 0 || got != (New{}) {
				t.Fatalf("Normalize() = %q, %v", got, err)
			}
			return
		}
		if again, err := got.Normalize(); err != nil || again != got {
			t.Fatalf("%q is valid, but becomes %q, %v", got, again, err)
		}
		if !utf8.ValidString(got.Name+got.Email) || strings.ContainsAny(got.Name+got.Email, "\x00\r\n") || len(got.Email) > MaxEmail {
			t.Fatalf("%q is accepted", got)
		}
	})
}
