package stack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func imagesFixture(t *testing.T, ref string) *fixture {
	t.Helper()
	f := newFixture(t)
	f.mode = Images
	f.lock = lockOf(t, map[string]string{"loki": ref})
	return f
}

func TestImageStaticProgram(t *testing.T) {
	reg := newRegistry(t)
	f := imagesFixture(t, reg.push(t, imageOf(t,
		[]tar.Header{regular("etc/os-release", "old"), regular("usr/bin/loki", "an older one")},
		[]tar.Header{regular("usr/bin/loki", staticELF())},
	)))
	rec := &events{t: t}
	f.progress = rec.add
	set, err := f.resolve(t)
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	p, ok := set.Program("loki")
	if !ok || p.Source != Images || p.Version != "3.7.7" || p.Loader != "" {
		t.Fatalf("Program(loki) = %+v, %v", p, ok)
	}
	if content, err := os.ReadFile(p.Path); err != nil || string(content) != staticELF() {
		t.Errorf("the program is %q, %v; want the upper layer's", content, err)
	}
	if info, err := os.Stat(p.Path); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program's mode is %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(filepath.Dir(p.Path)); len(files) != 2 {
		t.Errorf("kept %v, want the program and its descriptor", files)
	}
	f.nothingHalf(t)
	if blobs, _ := filepath.Glob(filepath.Join(f.cache, "blobs", "*")); len(blobs) > 0 {
		t.Errorf("layers that nobody needs any more: %v", blobs)
	}
	if e, ok := rec.last(PhaseDownload); !ok || e.Done != e.Total || e.Total == 0 {
		t.Errorf("last download event = %+v, want all bytes", e)
	}
	if e, ok := rec.last(PhaseDone); !ok || e.Total != 2 {
		t.Errorf("done = %+v, want both layers", e)
	}

	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		t.Errorf("second Resolve asks the registry: %s", r.URL)
		return false
	})
	if again, err := f.resolve(t); err != nil {
		t.Errorf("second Resolve() = %v", err)
	} else if q, _ := again.Program("loki"); q.Path != p.Path {
		t.Errorf("second Resolve gives %+v", q)
	}
}

func TestImageRefused(t *testing.T) {
	good := []tar.Header{regular("usr/bin/loki", staticELF())}
	tests := []struct {
		name string
		ref  func(t *testing.T, reg *fakeRegistry) string
		want string
	}{
		{"digest that is not there", func(t *testing.T, reg *fakeRegistry) string {
			ref, _, _ := strings.Cut(reg.push(t, imageOf(t, good)), "@")
			return ref + "@sha256:" + strings.Repeat("a", 64)
		}, "MANIFEST_UNKNOWN"},
		{"another manifest for the digest", func(t *testing.T, reg *fakeRegistry) string {
			ref := reg.push(t, imageOf(t, good))
			reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/manifests/sha256:") {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				fmt.Fprint(w, `{"schemaVersion": 2, "manifests": []}`)
				return true
			})
			return ref
		}, "digest"},
		{"another layer for the digest", func(t *testing.T, reg *fakeRegistry) string {
			img := imageOf(t, good)
			ref := reg.push(t, img)
			layers, _ := img.Layers()
			digest, _ := layers[0].Digest()
			reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/blobs/"+digest.String()) {
					return false
				}
				size, _ := layers[0].Size()
				_, _ = w.Write(make([]byte, size))
				return true
			})
			return ref
		}, "error verifying sha256 checksum"},
		{"one platform's manifest", func(t *testing.T, reg *fakeRegistry) string {
			img := platform(t, imageOf(t, good), "linux", "s390x")
			tag, _ := name.NewTag(reg.Host + "/grafana/loki:3.7.7")
			if err := remote.Write(tag, img); err != nil {
				t.Fatal(err)
			}
			digest, _ := img.Digest()
			return tag.String() + "@" + digest.String()
		}, "linux/s390x"},
		{"no program", func(t *testing.T, reg *fakeRegistry) string {
			return reg.push(t, imageOf(t, []tar.Header{regular("usr/bin/other", staticELF())}))
		}, "no /usr/bin/loki in the image"},
		{"no ELF file", func(t *testing.T, reg *fakeRegistry) string {
			return reg.push(t, imageOf(t, []tar.Header{regular("usr/bin/loki", "#!/bin/sh\n")}))
		}, "not an ELF program"},
		{"hostile layer", func(t *testing.T, reg *fakeRegistry) string {
			return reg.push(t, imageOf(t, good, []tar.Header{regular("../../escaped", "x")}))
		}, "leads out of the image"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := imagesFixture(t, tt.ref(t, newRegistry(t)))
			_, err := f.resolve(t)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "grafana/loki:3.7.7@sha256") {
				t.Errorf("Resolve() = %v, want %q and the image in it", err, tt.want)
			}
			f.nothingHalf(t)
			if got := f.programs(); len(got) > 0 {
				t.Errorf("programs: %v", got)
			}
		})
	}
}

func TestImageOnlyOnLinux(t *testing.T) {
	f := imagesFixture(t, newRegistry(t).push(t, imageOf(t, []tar.Header{regular("usr/bin/loki", staticELF())})))
	s := f.stack(t)
	s.goos = "darwin"
	if _, err := s.Resolve(t.Context()); err == nil || !strings.Contains(err.Error(), "this is darwin") {
		t.Errorf("Resolve() on darwin = %v", err)
	}
}

func TestImageCancelledResumes(t *testing.T) {
	reg := newRegistry(t)
	img := imageOf(t,
		[]tar.Header{regular("etc/first", "finished before the second is cancelled")},
		[]tar.Header{regular("usr/bin/loki", staticELF())},
	)
	f := imagesFixture(t, reg.push(t, img))
	layers, _ := img.Layers()
	first, _ := layers[0].Digest()
	second, _ := layers[1].Digest()
	firstSize, _ := layers[0].Size()
	half := make(chan struct{})
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, second.String()) {
			return false
		}
		<-half
		body, _ := layers[1].Compressed()
		size, _ := layers[1].Size()
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.CopyN(w, body, size/2)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	// The second layer begins once the first is finished, and is cancelled when
	// its first half has arrived.
	var once sync.Once
	ctx, cancel := cancelWhen(t, func(e Event) bool { return e.Phase == PhaseDownload && e.Done > firstSize })
	f.progress = func(e Event) {
		if e.Phase == PhaseDownload && e.Done == firstSize {
			once.Do(func() { close(half) })
		}
		cancel(e)
	}
	if _, err := f.stack(t).Resolve(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Resolve() = %v, want context.Canceled", err)
	}
	if half, _ := filepath.Glob(filepath.Join(f.cache, "blobs", "*"+second.Hex+".partial")); len(half) != 1 {
		t.Errorf("the half of the cancelled layer is kept as %v", half)
	}
	if got := f.programs(); len(got) > 0 {
		t.Errorf("programs after a cancelled download: %v", got)
	}

	reg.Intercept(nil)
	f.progress = nil
	if _, err := f.resolve(t); err != nil {
		t.Fatalf("Resolve() after a cancelled one = %v", err)
	}
	if n := len(reg.Requests(first.String())); n != 0 {
		t.Errorf("the finished layer was downloaded again, %d times", n)
	}
	if asked := reg.Requests(second.String()); len(asked) != 1 || !strings.Contains(asked[0], " bytes=") {
		t.Errorf("the cancelled layer is asked for by %v, want the rest of it", asked)
	}
	f.nothingHalf(t)
}

// A layer that breaks off in the middle is taken up again. If it breaks off again and
// again, nothing is compiled unasked: that takes a quarter of an hour.
func TestAutoAfterABreak(t *testing.T) {
	reg := newRegistry(t)
	img := imageOf(t, layerWith(staticELF()+strings.Repeat("x", 5000)))
	ref := reg.push(t, img)
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	for _, tt := range []struct {
		name  string
		times int
	}{{"twice", 2}, {"always", 100}} {
		t.Run(tt.name, func(t *testing.T) {
			f := imagesFixture(t, ref)
			f.mode = Auto
			rec := &events{t: t}
			f.progress = rec.add
			reg.BreakOff("/blobs/"+digest.String(), 3, tt.times)
			set, err := f.resolve(t)
			if _, compiled := rec.last(PhaseCompile); compiled {
				t.Error("the break starts a compile")
			}
			if tt.times == 2 {
				if p, _ := set.Program("loki"); err != nil || p.Source != Images {
					t.Errorf("Resolve() = %+v, %v, want it out of the image", p, err)
				}
				return
			}
			for _, want := range []string{"broke off after 15 of ", "Call it again to go on", "--stack source"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Resolve() = %v, want %q in it", err, want)
				}
			}
			// Called again it goes on, with the bytes that are there.
			reg.Intercept(nil)
			if _, err := f.resolve(t); err != nil {
				t.Fatalf("Resolve() once more = %v", err)
			}
			if asked := reg.Requests(digest.String()); len(asked) != 1 || !strings.Contains(asked[0], " bytes=15-") {
				t.Errorf("asks for %v, want the rest", asked)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	reg := newRegistry(t)
	f := imagesFixture(t, reg.push(t, imageOf(t, []tar.Header{regular("usr/bin/loki", staticELF())})))
	img, err := f.lock.Get("loki")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.stack(t).probe(t.Context(), img); err != nil {
		t.Errorf("probe() = %v", err)
	}
	reg.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	f.probe = 50 * time.Millisecond
	if err := f.stack(t).probe(t.Context(), img); err == nil || !strings.Contains(err.Error(), "within 50ms") {
		t.Errorf("probe() of a silent registry = %v, want that it did not answer in time", err)
	}
	nobody, _ := f.lock.Get("tempo")
	if err := f.stack(t).probe(t.Context(), nobody); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("probe() of no registry = %v, want connection refused", err)
	}
}
