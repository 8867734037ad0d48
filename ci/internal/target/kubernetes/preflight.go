package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
)

// problem is something in the way of Up.
type problem struct {
	// What is in the way, and what to Do about it.
	What, Do string
	// Likely says that the lab may come up all the same.
	Likely bool
}

// check is a look at one kind of problem.
type check func(context.Context, Workloads, plan) ([]problem, error)

// preflight fails when something is in the way of the plan. The error names every such
// problem, and what to do. What the user has no right to look at is not a problem by itself.
func (t *Target) preflight(ctx context.Context, w Workloads, p plan, version string) error {
	problems := tooOld(version)
	for _, one := range []struct {
		about string
		look  check
	}{
		{"the rights", checkRights}, {"other people's objects", checkClashes}, {"the namespaces", checkNamespaces},
		{"the storage classes", checkStorageClass}, {"the Secrets", checkSecrets}, {"the quotas", checkQuotas},
		{"the nodes", checkNodes}, {"the data of before", checkStore},
	} {
		found, err := one.look(ctx, w, p)
		switch {
		case isForbidden(err):
			t.say("not looked at " + one.about + ": you have no right to")
		case err != nil:
			return fmt.Errorf("looking at %s: %w", one.about, err)
		}
		problems = append(problems, found...)
	}
	if len(problems) == 0 {
		return nil
	}
	likely := true
	var b strings.Builder
	for _, one := range problems {
		fmt.Fprintf(&b, "\n✗ %s\n  %s", one.What, one.Do)
		likely = likely && one.Likely
	}
	if likely && t.o.NoPreflight {
		t.say("going on although something seems to be in the way:" + b.String())
		return nil
	}
	if likely {
		b.WriteString("\nTo try nevertheless, add --no-preflight.")
	}
	return fmt.Errorf("nothing was done in the context %s, because something is in the way:%s", t.o.Context, b.String())
}

// leastMinor is the least minor version of Kubernetes 1 that has what the manifests use:
// unhealthyPodEvictionPolicy and matchLabelKeys are on by default since 1.27.
const leastMinor = 27

// serverVersion asks the API server, which also proves that it answers and knows the user.
func serverVersion(ctx context.Context, w Workloads) (string, error) {
	out, err := w.Client.Kubectl(ctx, nil, "version", "--output=json")
	if err != nil {
		return "", fmt.Errorf("the cluster does not answer, or does not let you in: %w", err)
	}
	var v struct {
		ServerVersion struct{ Major, Minor, GitVersion string }
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return "", fmt.Errorf("reading `kubectl version`: %w", err)
	}
	return v.ServerVersion.GitVersion, nil
}

// tooOld judges a version such as v1.34.4-gke.1.
func tooOld(version string) []problem {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	if major != "1" || err != nil || n >= leastMinor {
		return nil // a later one, or one that this program cannot read
	}
	return []problem{{What: fmt.Sprintf("the cluster has Kubernetes %s, and the lab wants 1.%d or later", version, leastMinor), Do: "Upgrade the cluster."}}
}

// checkClashes finds objects that have the names of the lab's and are somebody else's.
func checkClashes(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	named := slices.DeleteFunc(slices.Clone(p.objects), func(o object) bool { return o.Kind == "Namespace" })
	list, err := asList(named)
	if err != nil {
		return nil, err
	}
	there, err := get(ctx, w, bytes.NewReader(list), "--filename=-")
	var found []problem
	for _, o := range there {
		if o.ours() {
			continue
		}
		by := "and the lab has not made it"
		if manager := o.Metadata.Labels[deploy.ManagedBy]; manager != "" {
			by = "made by " + manager
		}
		found = append(found, problem{
			What: fmt.Sprintf("%s is there already, %s", o.ref(), by),
			Do:   "Delete or rename it; if it is left over from a lab, give it the label " + deploy.Selector + ".",
		})
	}
	return found, err
}

// checkNamespaces finds pods of others in the lab's namespaces: the lab's network policies
// would cut them off, and its Pod Security standard would refuse them.
func checkNamespaces(ctx context.Context, w Workloads, _ plan) ([]problem, error) {
	var found []problem
	for _, namespace := range Namespaces() {
		there, err := get(ctx, w, nil, "pods,deployments,statefulsets,daemonsets", "--namespace="+namespace)
		if err != nil {
			return found, err
		}
		var others []string
		for _, o := range there {
			if o.Metadata.Labels[deploy.PartOf] != deploy.Manager {
				others = append(others, o.Kind+"/"+o.Metadata.Name)
			}
		}
		if len(others) > 0 {
			found = append(found, problem{
				What: fmt.Sprintf("the namespace %s has workloads that are not the lab's: %s", namespace, few(others)),
				Do:   "Move them to another namespace. In this one the lab denies all traffic that is not its own, and demands the Pod Security standard restricted.",
			})
		}
	}
	return found, nil
}

// few joins the first of the names.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// checkStorageClass looks for the class that the volumes are to have.
func checkStorageClass(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	classes, err := get(ctx, w, nil, "storageclasses")
	if err != nil {
		return nil, err
	}
	var names []string
	isDefault := false
	for _, c := range classes {
		names = append(names, c.Metadata.Name)
		isDefault = isDefault || c.Metadata.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
	}
	there := "There are " + few(names) + "."
	if len(names) == 0 {
		there = "There is none: install a provisioner of volumes."
	}
	wanted := p.settings["STORAGE_CLASS"]
	switch {
	case wanted != "" && !slices.Contains(names, wanted):
		return []problem{{What: "there is no storage class " + wanted, Do: "Correct STORAGE_CLASS in the settings. " + there}}, nil
	case wanted == "" && !isDefault:
		return []problem{{What: "no storage class is the cluster's default", Do: "Name one with STORAGE_CLASS in a file for --settings. " + there}}, nil
	}
	return nil, nil
}

// checkSecrets looks for the Secrets that pods cannot start without and that the manifests do
// not have.
func checkSecrets(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	wanted := wantedSecrets(p.objects)
	var found []problem
	for _, namespace := range Namespaces() {
		if len(wanted[namespace]) == 0 {
			continue
		}
		there, err := get(ctx, w, nil, "secrets", "--namespace="+namespace)
		if err != nil {
			return found, err
		}
		for _, name := range wanted[namespace] {
			if !slices.ContainsFunc(there, func(o object) bool { return o.Metadata.Name == name }) {
				found = append(found, problem{
					What: fmt.Sprintf("there is no Secret %s in the namespace %s", name, namespace),
					Do:   fmt.Sprintf("Make it: %s -n %s create secret generic %s --from-literal=NAME=VALUE …; docs/kubernetes.md has the names.", w.KubectlCommand, namespace, name),
				})
			}
		}
	}
	return found, nil
}

// wantedSecrets returns, by namespace, the names of the Secrets that the pods need and that
// are not among the objects.
func wantedSecrets(objects []object) map[string][]string {
	wanted := map[string][]string{}
	for _, o := range objects {
		if o.Spec.Template == nil {
			continue
		}
		namespace := o.Metadata.Namespace
		need := func(name string, optional *bool) {
			made := slices.ContainsFunc(objects, func(s object) bool {
				return s.Kind == "Secret" && s.Metadata.Name == name && s.Metadata.Namespace == namespace
			})
			if !made && (optional == nil || !*optional) && !slices.Contains(wanted[namespace], name) {
				wanted[namespace] = append(wanted[namespace], name)
			}
		}
		for _, v := range o.Spec.Template.Spec.Volumes {
			if v.Secret != nil {
				need(v.Secret.SecretName, v.Secret.Optional)
			}
		}
		for _, c := range slices.Concat(o.Spec.Template.Spec.InitContainers, o.Spec.Template.Spec.Containers) {
			for _, e := range c.EnvFrom {
				if e.SecretRef != nil {
					need(e.SecretRef.Name, e.SecretRef.Optional)
				}
			}
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					need(e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Optional)
				}
			}
		}
	}
	return wanted
}

// checkStore notices that the plan would leave stored data behind.
func checkStore(_ context.Context, _ Workloads, p plan) ([]problem, error) {
	if p.before.settings == nil {
		return nil, nil
	}
	var changed []string
	for _, name := range []string{"OBJECT_STORE_ENDPOINT", "LOKI_BUCKET", "TEMPO_BUCKET", "MIMIR_BLOCKS_BUCKET", "DATABASE_ENDPOINT"} {
		if p.before.settings[name] != p.settings[name] {
			changed = append(changed, fmt.Sprintf("%s was %q and is to be %q", name, p.before.settings[name], p.settings[name]))
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return []problem{{
		What:   "the data would be kept in another place: " + strings.Join(changed, ", "),
		Do:     "What was stored stays where it is, and no query finds it any more. Give the settings of before, or leave --settings out.",
		Likely: true,
	}}, nil
}
