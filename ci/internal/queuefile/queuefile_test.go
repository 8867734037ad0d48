package queuefile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// opens is the name of a file that this test program, started once more, opens with
// bbolt as Alloy does.
const opens = "QUEUEFILE_TEST_OPENS"

func TestMain(m *testing.M) {
	if name := os.Getenv(opens); name != "" {
		if err := readAll(name); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// options are those of otelcol.storage.file.
func options() *bolt.Options {
	return &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, NoSync: true}
}

func readAll(name string) error {
	db, err := bolt.Open(name, 0o600, options())
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("default"))
		if b == nil {
			return errors.New("no bucket")
		}
		if err := b.ForEach(func(_, _ []byte) error { return nil }); err != nil {
			return err
		}
		return b.Put([]byte("one more"), make([]byte, 3000))
	})
}

// newQueue makes a file as Alloy leaves it: with large and small values, and some
// that were taken out.
func newQueue(t *testing.T, o *bolt.Options) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "exporter_otlphttp_tempo_traces")
	db, err := bolt.Open(name, 0o600, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("default"))
			if err != nil {
				return err
			}
			if i > 50 && i%10 == 0 {
				err = b.Delete(fmt.Appendf(nil, "%d", i-50))
			}
			return errors.Join(err, b.Put(fmt.Appendf(nil, "%d", i), make([]byte, 100+i*37%2000)))
		}))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWholeFilesStay(t *testing.T) {
	for name, file := range map[string]string{
		"as Alloy writes it": newQueue(t, options()), "with a list of free pages": newQueue(t, nil), "empty": writeFile(t, nil),
	} {
		t.Run(name, func(t *testing.T) {
			if reason, err := Check(file); reason != nil || err != nil {
				t.Errorf("%v, %v", reason, err)
			}
			if set, err := SetAside(filepath.Dir(file)); len(set) != 0 || err != nil {
				t.Errorf("set aside: %v, %v", set, err)
			}
		})
	}
	if set, err := SetAside(filepath.Join(t.TempDir(), "no folder")); len(set) != 0 || err != nil {
		t.Errorf("a folder that is not there: %v, %v", set, err)
	}
}

func writeFile(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "queue")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDamagedFilesAreSetAside(t *testing.T) {
	whole, err := os.ReadFile(newQueue(t, options()))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"half": whole[:len(whole)/2], "zeros": make([]byte, 40960), "text": []byte(strings.Repeat("no queue\n", 3000)),
		"zeros in the middle": append(append(append([]byte{}, whole[:8192]...), make([]byte, 8192)...), whole[16384:]...),
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, content)
			set, err := SetAside(filepath.Dir(file))
			if err != nil || len(set) != 1 || !strings.Contains(set[0].String(), "lost") {
				t.Fatalf("%v, %v", set, err)
			}
			if kept, err := os.ReadFile(set[0].Name); err != nil || len(kept) != len(content) {
				t.Errorf("kept are %d bytes of %d: %v", len(kept), len(content), err)
			}
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
			if set, err := SetAside(filepath.Dir(file)); len(set) != 0 || err != nil {
				t.Errorf("and again: %v, %v", set, err)
			}
		})
	}
}

// Of each queue one damaged file is kept, the last, so that a volume does not fill with them.
func TestOneDamagedFileIsKept(t *testing.T) {
	file := writeFile(t, []byte("first"))
	neighbour := filepath.Join(filepath.Dir(file), "queue_two")
	var last []Damaged
	for _, content := range []string{"first", "second", "third"} {
		for _, name := range []string{file, neighbour} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond) // the names have milliseconds
		set, err := SetAside(filepath.Dir(file))
		if err != nil || len(set) != 2 {
			t.Fatalf("%v, %v", set, err)
		}
		last = set
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	if err != nil || !slices.Equal(left, []string{last[0].Name, last[1].Name}) {
		t.Errorf("left are %v, want %v: %v", left, last, err)
	}
	if kept, err := os.ReadFile(last[0].Name); string(kept) != "third" {
		t.Errorf("kept is %q: %v", kept, err)
	}
}

// Half a copy, which a killed Alloy has left, is Alloy's own to delete.
func TestUnfinishedCopiesStay(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tempdb1234")
	if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if set, err := SetAside(filepath.Dir(name)); len(set) != 0 || err != nil {
		t.Errorf("%v, %v", set, err)
	}
}

// Whatever makes bbolt give up, the check finds before.
func TestFindsWhatEndsBbolt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(newQueue(t, options()))
	if err != nil {
		t.Fatal(err)
	}
	const seed = 7
	random, ended := rand.New(rand.NewPCG(seed, seed)), 0
	for i := range 60 {
		damaged := append([]byte{}, whole...)
		// In the first bytes of a page is what bbolt relies on.
		at := random.IntN(len(damaged)/4096)*4096 + random.IntN(80)
		for k := range 1 + random.IntN(24) {
			damaged[min(at+k, len(damaged)-1)] = byte(random.Uint32())
		}
		file := writeFile(t, damaged)
		reason, err := Check(file)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), opens+"="+file)
		out, err := cmd.CombinedOutput()
		if err == nil {
			if reason != nil {
				t.Logf("damage %d at byte %d is set aside though bbolt reads the file: %v", i, at, reason)
			}
			continue
		}
		ended++
		if reason == nil {
			t.Errorf("damage %d at byte %d is not found, and bbolt ends: %.300s", i, at, out)
		}
	}
	t.Logf("bbolt ended %d times of 60", ended)
	if ended < 5 {
		t.Error("the damage is too small to show anything")
	}
}
