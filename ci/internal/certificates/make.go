package certificates

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// store is the folder of the certificates, in which no link leads out.
type store struct {
	root *os.Root
	path string
}

// open opens the folder, and makes it if it is not there. It refuses a folder that has
// something else in it.
func open(folder labdir.Folder) (*store, error) {
	lab, err := folder.Root()
	if err != nil {
		return nil, err
	}
	defer lab.Close()
	if err := lab.MkdirAll(Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the certificates: %w", err)
	}
	s := &store{path: filepath.Join(folder.Path, Folder)}
	if s.root, err = lab.OpenRoot(Folder); err != nil {
		return nil, err
	}
	if err := s.refuseForeign(); err != nil {
		return nil, errors.Join(err, s.root.Close())
	}
	return s, nil
}

// refuseForeign fails if the folder has files but no authority. A key alone is of a call
// that was cut short.
func (s *store) refuseForeign() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == authorityFile {
			return nil
		}
	}
	for _, e := range entries {
		if e.Name() != authorityKey && e.Name() != authorityKey+partial {
			return fmt.Errorf("%s holds %q and no %s: lab did not make these certificates, or the authority was deleted. Nothing was changed. Delete the folder, or name another lab with --dir",
				s.path, e.Name(), authorityFile)
		}
	}
	return nil
}

// Make makes what is not there, or is broken: the authority, and a certificate for each
// component and client. It issues anew what o.Renew says. All else stays as it is. The
// folder must be the lab's; the caller holds its lock.
func Make(folder labdir.Folder, o Options) (Set, error) {
	if err := o.check(); err != nil {
		return Set{}, err
	}
	s, err := open(folder)
	if err != nil {
		return Set{}, err
	}
	defer s.root.Close()
	now := time.Now()
	a, err := s.authority(o.Names, now)
	if err != nil {
		return Set{}, err
	}
	set := Set{Path: s.path, Authority: a.describe("authority")}
	set.Authority.Issued = a.isNew
	for _, sub := range subjects() {
		c, err := s.ensure(a, sub, o, now)
		if err != nil {
			return Set{}, fmt.Errorf("the certificate of %s: %w", sub.name, err)
		}
		set.Certificates = append(set.Certificates, c)
	}
	return set, nil
}

// ensure returns the subject's certificate, after it has issued it if need be.
func (s *store) ensure(a *authority, sub subject, o Options, now time.Time) (Certificate, error) {
	have, err := s.pair(a, sub.name, now)
	names := sub.ownNames()
	if sub.serves {
		if have != nil { // it is in order, or has ended
			names = append(names, namesOf(have.cert)...)
		}
		names = append(names, o.Names...)
	}
	names = unique(names)
	if err == nil {
		c := have.describe(sub.name)
		if o.Renew != All && (o.Renew != Due || !c.isDue(now)) && len(names) == len(c.Names) {
			return c, s.trust(sub.name, a)
		}
	}
	made, err := a.issue(sub, names, have, cmp.Or(o.Valid, Usual), now)
	if err != nil {
		return Certificate{}, err
	}
	if err := s.write(sub.name, a, made); err != nil {
		return Certificate{}, err
	}
	c := made.describe(sub.name)
	c.Issued = true
	return c, nil
}

// pair reads a certificate and its key. It returns an error if they are not in order: not
// there, not of this authority, or ended. Of a certificate that has only ended it returns
// both, for the one that follows it.
func (s *store) pair(a *authority, name string, now time.Time) (*pair, error) {
	key, err := readKey(s.root, path.Join(name, keyFile))
	if err != nil {
		return nil, err
	}
	cert, err := readCertificate(s.root, path.Join(name, certificateFile))
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s/%s does not belong to its key", name, certificateFile)
	}
	err = a.verify(cert, now)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); err != nil && (!ok || invalid.Reason != x509.Expired) {
		return nil, err
	}
	return &pair{cert, key}, err
}

// write puts the three files of a certificate in their places, the certificate last: the
// others are there when somebody finds it.
func (s *store) write(name string, a *authority, p *pair) error {
	if err := s.trust(name, a); err != nil {
		return err
	}
	key, err := encodeKey(p.key)
	if err != nil {
		return err
	}
	if err := s.replace(path.Join(name, keyFile), key, 0o600); err != nil {
		return err
	}
	return s.replace(path.Join(name, certificateFile), encodeCertificate(p.cert), 0o644)
}

// trust puts the authority's certificate beside the subject's.
func (s *store) trust(name string, a *authority) error {
	if err := s.root.MkdirAll(name, 0o700); err != nil {
		return err
	}
	return s.replace(path.Join(name, authorityFile), encodeCertificate(a.cert), 0o644)
}

// partial is the end of the name of a file that is being written.
const partial = ".partial"

// replace writes a file in one step, unless it has the content already.
func (s *store) replace(name string, content []byte, mode fs.FileMode) error {
	if have, err := s.root.ReadFile(name); err == nil && slices.Equal(have, content) {
		return nil
	}
	if err := s.root.Remove(name + partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.root.WriteFile(name+partial, content, mode); err != nil {
		return err
	}
	return s.root.Rename(name+partial, name)
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
