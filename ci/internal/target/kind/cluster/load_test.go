package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeArchive writes an image as `docker save` does, and returns the file and
// the image's id.
func writeArchive(t *testing.T, dir, name, config string, tags ...string) (file, id string) {
	t.Helper()
	sum := sha256.Sum256([]byte(config))
	id = "sha256:" + hex.EncodeToString(sum[:])
	manifest := fmt.Sprintf(`[{"Config":%q,"RepoTags":["%s"],"Layers":["layer.tar"]}]`, id, strings.Join(tags, `","`))
	if len(tags) == 0 {
		manifest = fmt.Sprintf(`[{"Config":%q,"RepoTags":null}]`, id)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range []struct{ name, body string }{{id, config}, {"layer.tar", strings.Repeat("x", 4096)}, {"manifest.json", manifest}} {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.body))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, name)
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, id
}

func TestReadArchive(t *testing.T) {
	dir := t.TempDir()
	file, id := writeArchive(t, dir, "a.tar", `{"os":"linux"}`, "lab/a:1")
	a, err := ReadArchive(file)
	if err != nil || a.ID != id || !slices.Equal(a.Tags, []string{"lab/a:1"}) {
		t.Errorf("ReadArchive = %+v, %v, want %s", a, err, id)
	}
	broken := filepath.Join(dir, "b.tar")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, whole[:2000], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadArchive(broken); err == nil || !strings.Contains(err.Error(), "b.tar") {
		t.Errorf("half an archive: %v", err)
	}
}

// imagesList returns the output of `ctr images list` about an image with those names.
func imagesList(manifest, id string, names ...string) string {
	out := ""
	for _, name := range append(names, id) {
		out += fmt.Sprintf("%-40s application/vnd.docker.distribution.manifest.v2+json %s 7.4 MiB linux/amd64 io.cri-containerd.image=managed\n", name, manifest)
	}
	return out
}

func TestLoadSkipsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	same, sameID := writeArchive(t, dir, "same.tar", `{"n":1}`, "lgtm-lab/same:1")
	changed, _ := writeArchive(t, dir, "changed.tar", `{"n":2}`, "grafana/changed:2")
	renamed, renamedID := writeArchive(t, dir, "renamed.tar", `{"n":3}`, "172.17.0.1:5000/renamed:new")
	const m = "sha256:00"
	f := newFake()
	f.status[node] = "running"
	var sent []int
	f.inNode = func(stdin io.Reader, line string) (string, error) {
		switch {
		case line == "ctr --namespace=k8s.io images list":
			return "REF TYPE DIGEST SIZE PLATFORMS LABELS\n" + imagesList(m+"1", sameID, "docker.io/lgtm-lab/same:1") +
				imagesList(m+"2", "sha256:"+strings.Repeat("a", 64), "docker.io/grafana/changed:2") +
				imagesList(m+"3", renamedID, "172.17.0.1:5000/renamed:old"), nil
		case line == "containerd config dump":
			return "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"overlayfs\"\n", nil
		case strings.HasPrefix(line, "ctr --namespace=k8s.io images import"):
			raw, err := io.ReadAll(stdin)
			f.mu.Lock()
			sent = append(sent, len(raw))
			f.mu.Unlock()
			return "", err
		}
		return "", errors.New("the fake does not know the command " + line)
	}
	done, err := f.cluster(t, nil).Load(context.Background(), []string{same, changed, renamed})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(done.Present, []string{"lgtm-lab/same:1"}) || !slices.Equal(done.New, []string{"grafana/changed:2", "172.17.0.1:5000/renamed:new"}) {
		t.Errorf("Load = %+v", done)
	}
	if len(sent) != 2 || slices.Min(sent) < 4096 {
		t.Errorf("sent %d bytes, want two whole archives", sent)
	}
}

func TestLoadFails(t *testing.T) {
	f := newFake()
	if _, err := f.cluster(t, nil).Load(context.Background(), nil); !errors.Is(err, ErrAbsent) {
		t.Errorf("without a cluster: %v", err)
	}
	f.status[node] = "running"
	f.inNode = func(_ io.Reader, line string) (string, error) {
		if strings.Contains(line, "import") {
			return "", errors.New("no space left on device")
		}
		return "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"overlayfs\"\n", nil
	}
	file, _ := writeArchive(t, t.TempDir(), "a.tar", "{}", "a:1")
	if _, err := f.cluster(t, nil).Load(context.Background(), []string{file}); err == nil || !strings.Contains(err.Error(), "loading a.tar into "+node) {
		t.Errorf("Load = %v", err)
	}
	nameless, _ := writeArchive(t, t.TempDir(), "b.tar", "{}")
	if _, err := f.cluster(t, nil).Load(context.Background(), []string{nameless}); err == nil || !strings.Contains(err.Error(), "has no name") {
		t.Errorf("Load of an image without a name = %v", err)
	}
}

func TestEnsureNodeImage(t *testing.T) {
	file, id := writeArchive(t, t.TempDir(), "node.tar", "{}", "kindest/node:v1.34.4")
	for _, test := range []struct {
		name    string
		images  map[string]string
		archive string
		want    string
		loaded  int
	}{
		{"there", map[string]string{"kindest/node:v1.34.11@sha256:1": "x"}, file, "kindest/node:v1.34.11@sha256:1", 0},
		{"from the archive", nil, file, "kindest/node:v1.34.4", 1},
		{"from the archive, before", map[string]string{"kindest/node:v1.34.4": id}, file, "kindest/node:v1.34.4", 0},
		{"another of that name", map[string]string{"kindest/node:v1.34.4": "sha256:other"}, file, "kindest/node:v1.34.4", 1},
		{"to be pulled", nil, "", "kindest/node:v1.34.11@sha256:1", 0},
	} {
		f := newFake()
		f.images = test.images
		c := f.cluster(t, func(c *Config) { c.NodeImage, c.NodeArchive = "kindest/node:v1.34.11@sha256:1", test.archive })
		if got, err := c.ensureNodeImage(context.Background()); got != test.want || err != nil || f.called("load") != test.loaded {
			t.Errorf("%s: %q, %v after %d loads, want %q after %d", test.name, got, err, f.called("load"), test.want, test.loaded)
		}
	}
}
