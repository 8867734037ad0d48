package storefile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// perSegment is the number of records of a segment in the tests.
const perSegment = 200

// newLog writes three segments of records.
func newLog(t *testing.T, dir string) {
	t.Helper()
	w, err := wlog.New(promslog.NewNopLogger(), nil, dir, compression.None)
	if err != nil {
		t.Fatal(err)
	}
	for segment := range 3 {
		for i := range perSegment {
			if err := w.Log([]byte(fmt.Sprintf("%d/%d %s", segment, i, strings.Repeat("line ", 200)))); err != nil {
				t.Fatal(err)
			}
		}
		if segment < 2 {
			if _, err := w.NextSegment(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// read returns how many records of each segment a reader finds that gives up at the first
// damage, as Loki's does.
func read(t *testing.T, dir string) map[string]int {
	t.Helper()
	segments, err := wlog.NewSegmentsReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer segments.Close()
	found := map[string]int{}
	for reader := wlog.NewReader(segments); reader.Next(); {
		segment, _, _ := strings.Cut(string(reader.Record()), "/")
		found[segment]++
	}
	return found
}

// damages are what can become of a file, each with whether some of its beginning is left.
var damages = map[string]struct {
	do   func(name string) error
	some bool
}{
	"cut short": {func(name string) error { return os.Truncate(name, size(name)*2/3+3) }, true},
	"flipped":   {func(name string) error { return overwrite(name, []byte{0xA5, 0x5A, 0xA5, 0x5A}) }, true},
	"zeroed":    {func(name string) error { return overwrite(name, make([]byte, 4096)) }, true},
	"unreadable": {func(name string) error {
		if err := os.Remove(name); err != nil {
			return err
		}
		return os.Mkdir(name, 0o755)
	}, false},
}

func size(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// overwrite writes over the middle of a file.
func overwrite(name string, with []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(with, size(name)/2); err != nil {
		return err
	}
	return f.Close()
}

// What comes after a damaged segment of Loki's log is read, and so is what comes before the
// damage. The damaged file is kept.
func TestLokiReadsOnAfterDamage(t *testing.T) {
	for kind, d := range damages {
		t.Run(kind, func(t *testing.T) {
			data := t.TempDir()
			wal := filepath.Join(data, "wal")
			newLog(t, wal)
			if all, err := Mend(target.Loki, data); err != nil || len(all) != 0 {
				t.Fatalf("a whole log: %v, %v", all, err)
			}
			damaged := filepath.Join(wal, "00000001")
			if err := d.do(damaged); err != nil {
				t.Fatal(err)
			}
			if found := read(t, wal); found["2"] != 0 {
				t.Fatalf("the reader reads on by itself, %v: the test damages nothing", found)
			}
			all, err := Mend(target.Loki, data)
			if err != nil || len(all) != 1 || !strings.Contains(all[0].String(), "a file of loki is damaged") {
				t.Fatalf("%v, %v", all, err)
			}
			found := read(t, wal)
			if found["0"] != perSegment || found["2"] != perSegment || d.some != (found["1"] > perSegment/4) || found["1"] >= perSegment {
				t.Errorf("found %v", found)
			}
			if _, err := os.Stat(all[0].Name); err != nil {
				t.Error(err)
			}
			if again, err := Mend(target.Loki, data); err != nil || len(again) != 0 {
				t.Errorf("the second time: %v, %v", again, err)
			}
		})
	}
}

// A checkpoint of the log is mended, too, and of each file the last copy is kept.
func TestLokiCheckpoint(t *testing.T) {
	data := t.TempDir()
	checkpoint := filepath.Join(data, "wal", "checkpoint.000001")
	newLog(t, checkpoint)
	for range 2 {
		if err := os.WriteFile(filepath.Join(checkpoint, "00000000"), []byte(strings.Repeat("no record", 500)), 0o644); err != nil {
			t.Fatal(err)
		}
		if all, err := Mend(target.Loki, data); err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		time.Sleep(2 * time.Millisecond) // the names tell milliseconds
	}
	if found := read(t, checkpoint); found["2"] != perSegment {
		t.Errorf("found %v", found)
	}
	if kept, _ := filepath.Glob(filepath.Join(checkpoint, "*"+aside+"*")); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
}

// Mapped chunks that would keep Mimir from starting are set aside; those that Mimir mends
// itself are left alone.
func TestMimirChunks(t *testing.T) {
	whole := "\x01\x30\xbc\x91\x01\x00\x00\x00 and chunks"
	for _, c := range []struct {
		name  string
		files map[string]string
		aside bool
	}{
		{"whole", map[string]string{"000001": whole, "000002": whole}, false},
		{"the last is empty", map[string]string{"000001": whole, "000002": ""}, false},
		{"the last is zeros", map[string]string{"000001": whole, "000002": strings.Repeat("\x00", 64)}, false},
		{"the first is empty", map[string]string{"000001": "", "000002": whole}, true},
		{"the first is cut short", map[string]string{"000001": whole[:5], "000002": whole}, true},
		{"the last begins with something else", map[string]string{"000001": whole, "000002": "something else"}, true},
		{"one is missing", map[string]string{"000001": whole, "000003": whole}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := t.TempDir()
			dir := filepath.Join(data, "tsdb", "anonymous", mappedChunks)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for name, content := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			all, err := Mend(target.Mimir, data)
			if err != nil || (len(all) == 1) != c.aside {
				t.Fatalf("%v, %v", all, err)
			}
			if _, err := os.Stat(dir); (err != nil) != c.aside {
				t.Errorf("the folder: %v", err)
			}
			if c.aside && size(filepath.Join(all[0].Name, "000001")) != int64(len(c.files["000001"])) {
				t.Error("the damaged files are not kept")
			}
		})
	}
}
