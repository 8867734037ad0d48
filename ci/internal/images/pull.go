package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// PullOptions say how [Pull] reaches a registry. The zero value is for public
// registries.
type PullOptions struct {
	// Insecure lists registries, as host or host:port, to speak plain HTTP with
	// where they do not answer HTTPS. Registries on this machine and at private
	// addresses are treated so without being listed. The digest proves the content
	// in either case; what plain HTTP does not protect is the credentials.
	Insecure []string
	// Progress is told the bytes written and their total; may be nil.
	Progress func(done, total int64)
	// Transport is the HTTP client's; nil is the default, with proxies.
	Transport http.RoundTripper
}

// Archive is a pulled image in a file.
type Archive struct {
	Image    Image  `json:"-"`
	Path     string `json:"path"`               // absolute if the directory was
	Tag      string `json:"tag"`                // the RepoTag in it: repository:tag, without a digest
	Platform string `json:"platform,omitempty"` // "linux/amd64"
	ID       string `json:"id,omitempty"`       // digest of the configuration, the ID that container runtimes list
	Size     int64  `json:"size_bytes"`         // bytes of the file
	Kept     bool   `json:"kept"`               // it was there already and nothing was transferred
}

// RepoTag is what the image is called in a cluster that it was loaded into:
// repository:tag. A runtime that loads an archive knows no digest of an index.
func (i Image) RepoTag() string { return i.Repository + ":" + i.Tag }

// ArchiveName is the name of the file that [Pull] makes. It has the digest in it,
// so that a file of that name can only be that image.
func (i Image) ArchiveName(platform string) string {
	_, arch, _ := strings.Cut(platform, "/")
	return fmt.Sprintf("%s-%s-%s.tar", i.Name, strings.ReplaceAll(arch, "/", "-"), strings.TrimPrefix(i.Digest, "sha256:"))
}

// Pull writes img for one platform ("linux/amd64") to dir, as an archive like that
// of `docker save`, under [Image.ArchiveName]. Everything that the registry sends
// is compared with the digest in the lock. If the archive is there already, the
// registry is not asked. A pull that fails or is cancelled leaves nothing behind.
//
// Credentials are those that `docker login` has stored.
func Pull(ctx context.Context, img Image, platform, dir string, o PullOptions) (Archive, error) {
	fail := func(err error) (Archive, error) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Archive{}, fmt.Errorf("image %s: %s: %w", img.Name, img.Reference(), Plain(err))
	}
	p, err := v1.ParsePlatform(platform)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return fail(fmt.Errorf("platform %q: write os/architecture, as linux/amd64", platform))
	}
	a := Archive{Image: img, Path: filepath.Join(dir, img.ArchiveName(platform)), Tag: img.RepoTag(), Platform: platform}
	if a.there() {
		a.Kept = true
		return a, nil
	}
	image, err := fetch(ctx, img, *p, o)
	if err != nil {
		return fail(err)
	}
	if err := a.write(image, o.Progress); err != nil {
		return fail(err)
	}
	if !a.there() {
		return fail(fmt.Errorf("the archive %s cannot be read back", a.Path))
	}
	return a, nil
}

// there tells whether the archive is in its place, whole and under its tag, and
// completes what is known of it. The list of contents is the last entry of the
// file, so one that was cut short has none.
func (a *Archive) there() bool {
	info, err := os.Stat(a.Path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	manifest, err := tarball.LoadManifest(opener(a.Path))
	if err != nil || len(manifest) != 1 || !slices.Equal(manifest[0].RepoTags, []string{a.Tag}) {
		return false
	}
	a.ID, a.Size = manifest[0].Config, info.Size()
	return strings.HasPrefix(a.ID, "sha256:")
}

// reference is what is asked for: the digest alone.
func (o PullOptions) reference(img Image) (name.Digest, error) {
	ref, err := name.NewDigest(img.Pinned())
	if err != nil {
		return name.Digest{}, err
	}
	registry := ref.RegistryStr()
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	if slices.Contains(o.Insecure, registry) || slices.Contains(o.Insecure, host) {
		return name.NewDigest(img.Pinned(), name.Insecure)
	}
	return ref, nil
}

// fetch is [Fetch] of a locked image, as the options say.
func fetch(ctx context.Context, img Image, p v1.Platform, o PullOptions) (v1.Image, error) {
	ref, err := o.reference(img)
	if err != nil {
		return nil, err
	}
	return Fetch(ref, p, o.remote(ctx)...)
}

// remote is how a registry is spoken to.
func (o PullOptions) remote(ctx context.Context) []remote.Option {
	opts := []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("lgtm-lab"),
	}
	if o.Transport != nil {
		opts = append(opts, remote.WithTransport(o.Transport))
	}
	return opts
}

// Fetch gets the manifest of ref for a platform; layers follow as they are read.
// What the registry sends is compared with the digest all the way down: index,
// manifest, configuration.
func Fetch(ref name.Digest, p v1.Platform, opts ...remote.Option) (v1.Image, error) {
	desc, err := remote.Get(ref, append(opts, remote.WithPlatform(p))...)
	if err != nil {
		return nil, err
	}
	if desc.Digest.String() != ref.DigestStr() {
		return nil, fmt.Errorf("the registry sent %s", desc.Digest)
	}
	image, err := desc.Image()
	if err != nil {
		return nil, fmt.Errorf("for %s: %w", p, err)
	}
	// What the index says of a platform is a claim, and a digest of one platform's
	// image instead of the index's makes none; the configuration knows.
	raw, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	var cfg v1.ConfigFile
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return nil, err
	}
	if cfg.OS != p.OS || cfg.Architecture != p.Architecture {
		return nil, fmt.Errorf("it is for %s/%s, not for %s", cfg.OS, cfg.Architecture, p)
	}
	return image, nil
}

// write makes the archive.
func (a *Archive) write(image v1.Image, progress func(done, total int64)) error {
	tag, err := name.NewTag(a.Tag)
	if err != nil {
		return err
	}
	var total int64
	if progress != nil {
		if total, err = tarball.CalculateSize(map[name.Reference]v1.Image{tag: image}); err != nil {
			return err
		}
	}
	return replace(a.Path, func(w io.Writer) error {
		if progress != nil {
			w = &counter{w: w, total: total, tell: progress}
		}
		// Every blob is compared with its digest while it is read, so what arrives
		// here whole is what the manifest says.
		return tarball.Write(tag, image, w)
	})
}

// replace makes a file beside its place and moves it there when it is whole.
func replace(file string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // not there any more once all went well
	err = write(tmp)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// counter tells how much has been written through it.
type counter struct {
	w           io.Writer
	done, total int64
	tell        func(done, total int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.done += int64(n)
	c.tell(c.done, c.total)
	return n, err
}

// opener opens a file each time the archive's reader asks for it.
func opener(path string) tarball.Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

// Plain is what a network error says without its URL and its resolver.
func Plain(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%s: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}
