// The page works without this script: its forms post and its links load. With the script, the same actions call /api,
// nothing reloads, and the panel shows the request that was made.
'use strict';

(() => {
  const $ = (id) => document.getElementById(id);
  const pageSize = document.body.dataset.pageSize;
  const traceTemplate = $('last').dataset.traceTemplate;
  const form = $('add-form');
  const table = $('users');
  const rows = table.tBodies[0];

  // call makes one request and returns its outcome. It never throws: after a network
  // failure the status is 0.
  async function call(method, path, { body, fault, signal } = {}) {
    const headers = { Accept: 'application/json' };
    if (body) headers['Content-Type'] = 'application/json';
    if (fault) headers.baggage = `lab.fault=${fault}`;
    const started = performance.now();
    const done = { method, path: path.split('?')[0], status: 0, trace: '', sampled: true, data: null };
    try {
      const response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body) });
      const text = await response.text();
      done.status = response.status;
      done.trace = response.headers.get('X-Trace-Id') ?? '';
      done.sampled = response.headers.get('X-Trace-Sampled') !== 'false';
      if (/json/.test(response.headers.get('Content-Type') ?? '')) done.data = JSON.parse(text);
      done.ok = response.ok;
    } catch (error) {
      done.ok = false;
      done.aborted = error.name === 'AbortError';
    }
    done.ms = performance.now() - started;
    return done;
  }

  // problem returns a sentence for people about an answer that is not a success.
  function problem(done) {
    if (done.status === 0) return 'No answer: the page could not reach its server.';
    const said = done.data?.detail;
    return said ? sentence(said) : `The request failed with status ${done.status}.`;
  }

  function sentence(text) {
    const trimmed = text.trim();
    return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? '' : '.');
  }

  // report fills the panel.
  function report(done, message) {
    const kind = done.ok ? 'good' : 'bad';
    $('message').dataset.kind = kind;
    $('message').textContent = message;
    $('last-status').textContent = done.status || 'none';
    $('last-status').dataset.class = done.ok ? 'good' : done.status >= 400 && done.status < 500 ? 'warn' : 'bad';
    $('last-method').textContent = done.method;
    $('last-path').textContent = done.path;
    $('last-duration').textContent = duration(done.ms);
    const known = /^[0-9a-f]{32}$/.test(done.trace);
    $('trace').hidden = !known;
    $('trace-id').textContent = known ? done.trace : '';
    $('trace-unsampled').hidden = !known || done.sampled;
    const linked = known && done.sampled && traceTemplate;
    $('trace-link').hidden = !linked;
    if (linked) $('trace-link').href = traceTemplate.replaceAll('{trace_id}', done.trace);
    else $('trace-link').removeAttribute('href');
    toast(message);
  }

  function toast(message) {
    const element = $('toast');
    element.textContent = message;
    element.classList.remove('live');
    void element.offsetWidth; // restarts the animation
    element.classList.add('live');
  }

  // The formats below are those of format.go: the script must write a number as the
  // server does.
  function duration(ms) {
    if (ms < 10) return `${ms.toFixed(1)} ms`;
    return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
  }

  function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    const units = ['KiB', 'MiB', 'GiB', 'TiB'];
    let value = bytes / 1024;
    let unit = 0;
    for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
    return `${value < 10 ? value.toFixed(1) : Math.floor(value)} ${units[unit]}`;
  }

  function uptime(seconds) {
    const s = Math.floor(seconds);
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (d > 0) return `${d} d ${h} h`;
    if (h > 0) return `${h} h ${m} min`;
    return m > 0 ? `${m} min` : `${s} s`;
  }

  const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
  const stamp = (iso) => iso.slice(0, 16).replace('T', ' ');

  function row(user) {
    const tr = $('row').content.firstElementChild.cloneNode(true);
    tr.dataset.userId = user.id;
    tr.querySelector('.id').textContent = user.id;
    tr.querySelector('.name').textContent = user.name;
    tr.querySelector('.email').textContent = user.email;
    tr.querySelector('time').dateTime = user.created_at;
    tr.querySelector('time').textContent = stamp(user.created_at);
    tr.querySelector('form').action = `/ui/users/${encodeURIComponent(user.id)}/delete`;
    tr.querySelector('input[name=cursor]').value = cursor();
    tr.querySelector('.delete').setAttribute('aria-label', `Delete ${user.name}`);
    return tr;
  }

  const cursor = () => new URLSearchParams(location.search).get('cursor') ?? '';

  // loadUsers shows the page of the list that the address names. A new call aborts an
  // older one.
  let loading;
  async function loadUsers() {
    loading?.abort();
    const mine = (loading = new AbortController());
    const query = new URLSearchParams({ limit: pageSize });
    if (cursor()) query.set('cursor', cursor());
    table.setAttribute('aria-busy', 'true');
    const done = await call('GET', `/api/users?${query}`, { signal: mine.signal });
    if (mine.signal.aborted) return done;
    table.removeAttribute('aria-busy');
    if (done.ok && Array.isArray(done.data?.users)) showUsers(done.data.users, done.data.next_cursor);
    else showListError(problem(done));
    return done;
  }

  function showUsers(users, next) {
    rows.replaceChildren(...users.map(row));
    $('list-error').hidden = true;
    showPages(next);
    showEmpty();
  }

  function showPages(next) {
    $('first-page').hidden = !cursor();
    $('next-page').hidden = !next;
    if (next) $('next-page').href = `/?${new URLSearchParams({ cursor: next })}`;
    $('pages').hidden = !cursor() && !next;
  }

  function showEmpty() {
    const none = rows.rows.length === 0;
    table.hidden = none;
    $('empty').hidden = !none;
    $('empty').textContent = cursor() ? 'There are no users on this page.' : 'No users yet. Add the first one above.';
  }

  function showListError(text) {
    rows.replaceChildren();
    table.hidden = true;
    $('empty').hidden = true;
    $('pages').hidden = true;
    $('list-error').hidden = false;
    $('list-error').querySelector('p').textContent = text;
  }

  async function loadStats() {
    const { ok, data } = await call('GET', '/api/stats');
    $('stats').hidden = !ok;
    $('stats-missing').hidden = ok;
    if (!ok || !data) return;
    const put = (name, text) => { $('stats').querySelector(`[data-stat=${name}]`).textContent = text; };
    put('users', count(data.users));
    put('created', count(data.created_last_24h));
    put('size', size(data.database_size_bytes));
    put('uptime', uptime(data.uptime_seconds));
    put('version', data.version);
  }

  // busy marks a button as busy while work runs. The button keeps the focus, and a second
  // press does nothing.
  async function busy(button, work) {
    if (button.getAttribute('aria-busy') === 'true') return;
    button.setAttribute('aria-busy', 'true');
    try {
      await work();
    } finally {
      button.removeAttribute('aria-busy');
    }
  }

  function fieldErrors(done) {
    const errors = Array.isArray(done.data?.errors) ? done.data.errors : [];
    let first = null;
    for (const name of ['name', 'email']) {
      const input = form.elements[name];
      const found = errors.find((e) => e.field === name);
      const text = found ? sentence(found.detail) : name === 'email' && done.status === 409 ? problem(done) : '';
      $(`${name}-error`).textContent = text;
      if (text) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
      if (text) first ??= input;
    }
    first?.focus();
  }

  async function add() {
    const body = { name: form.elements.name.value, email: form.elements.email.value };
    const done = await call('POST', '/api/users', { body });
    report(done, done.ok ? `${done.data.name} was added.` : problem(done));
    fieldErrors(done);
    if (!done.ok) return;
    form.reset();
    form.elements.name.focus();
    await Promise.all([loadUsers(), loadStats()]);
    reveal(done.data);
  }

  // reveal shows the user who was just added, even if the list's order puts that user on
  // another page.
  function reveal(user) {
    let tr = rows.querySelector(`tr[data-user-id="${CSS.escape(user.id)}"]`);
    if (!tr) {
      tr = row(user);
      rows.prepend(tr);
      if ($('list-error').hidden) showEmpty();
    }
    tr.classList.add('fresh');
  }

  async function remove(tr) {
    const name = tr.querySelector('.name').textContent;
    const done = await call('DELETE', `/api/users/${encodeURIComponent(tr.dataset.userId)}`);
    report(done, done.ok ? `${name} was deleted.` : problem(done));
    if (!done.ok && done.status !== 404) return;
    const after = tr.nextElementSibling ?? tr.previousElementSibling;
    tr.remove();
    (after?.querySelector('.delete') ?? form.elements.name).focus();
    const focused = document.activeElement.closest('tr')?.dataset.userId;
    await Promise.all([loadUsers(), loadStats()]);
    if (focused) rows.querySelector(`tr[data-user-id="${CSS.escape(focused)}"] .delete`)?.focus();
  }

  // The sentences are those of flash.go.
  async function slow() {
    const { slow: fault, slowMs } = document.body.dataset;
    const done = await call('GET', '/api/users?limit=1', { fault });
    let message = problem(done);
    if (done.ok) {
      message = done.ms >= Number(slowMs)
        ? 'The slow query answered. The trace shows where the time went.'
        : 'The query was not slow: the backend has faults switched off.';
    }
    report(done, message);
  }

  async function fail() {
    const done = await call('GET', '/api/users?limit=1', { fault: 'error' });
    let message = problem(done);
    if (done.ok) message = 'The query did not fail: the backend has faults switched off.';
    if (done.status === 500) message = 'The query failed, as you asked. The trace shows where.';
    report(done, message);
  }

  async function turnTo(address) {
    if (address) history.pushState(null, '', address);
    const done = await loadUsers();
    if (done.aborted) return;
    report(done, done.ok ? `Showing ${rows.rows.length} users.` : problem(done));
    if (done.ok) table.focus();
  }

  document.addEventListener('submit', (event) => {
    const button = event.target.querySelector('button');
    const work = {
      'add-form': add,
      slow,
      fail,
      delete: () => remove(event.target.closest('tr')),
    }[event.target.id || button.id || button.className];
    if (!work) return;
    event.preventDefault();
    busy(button, work);
  });

  document.addEventListener('click', (event) => {
    const link = event.target.closest('#next-page, #first-page');
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    turnTo(link.href);
  });

  window.addEventListener('popstate', () => turnTo());

  // After a form's redirect the address contains the form's outcome. It is removed once
  // the page shows it, so that a reload does not show it again.
  const address = new URL(location.href);
  for (const key of [...address.searchParams.keys()]) if (key !== 'cursor') address.searchParams.delete(key);
  if (address.href !== location.href) history.replaceState(null, '', address);
})();
