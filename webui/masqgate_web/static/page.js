// Keeps a page live, and says so when it is not. No page needs this script to be read.
'use strict';

(() => {
  const live = document.querySelector('[data-every]');
  const bar = document.getElementById('silence');

  // Times come in UTC; people live in their own zone.
  const tellTimes = () => {
    const today = new Date().toDateString();
    for (const time of document.querySelectorAll('time[datetime]')) {
      const when = new Date(time.dateTime);
      if (Number.isNaN(when.getTime())) continue;
      const clock = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
      const day = when.toLocaleDateString([], { day: 'numeric', month: 'short' });
      time.textContent = when.toDateString() === today ? clock : `${day}, ${clock}`;
      time.title = when.toUTCString();
    }
  };
  tellTimes();
  document.body.addEventListener('htmx:afterSwap', tellTimes);

  // What must be read even if the answer to a form never comes.
  document.body.addEventListener('htmx:beforeRequest', (event) => {
    const name = event.detail.elt.dataset.reveal;
    if (name) document.getElementById(name).hidden = false;
  });

  // The browser's part of the help page's ladder, one step after the other.
  const again = document.getElementById('again');
  const climb = async () => {
    again.disabled = true;
    for (const step of document.querySelectorAll('[data-probe]')) await probe(step);
    again.disabled = false;
  };
  const probe = async (step) => {
    const tell = (tone, text) => {
      step.className = tone;
      step.querySelector('.result').textContent = text;
    };
    tell('busy', 'testing');
    const url = new URL(step.dataset.probe, location.href);
    const own = url.origin === location.origin;
    const begun = performance.now();
    try {
      const answer = await fetch(url, {
        mode: own ? 'same-origin' : 'no-cors', cache: 'no-store', credentials: 'omit',
        signal: AbortSignal.timeout(8000),
      });
      const body = await answer.arrayBuffer();
      const wanted = Number(step.dataset.size || 0);
      if (own && !answer.ok) tell('bad', `answer ${answer.status}`);
      else if (wanted && body.byteLength !== wanted) tell('bad', `${body.byteLength} of ${wanted} bytes`);
      else tell('good', `yes, ${Math.round(performance.now() - begun)} ms`);
    } catch {
      tell('bad', 'no answer');
    }
  };
  if (again) {
    again.hidden = false;
    again.addEventListener('click', climb);
    climb();
  }

  if (!live) return;

  const every = Number(live.dataset.every) * 1000;
  const patience = every + 8000;
  let asked = performance.now();
  let answered = performance.now();
  let answeredAt = new Date();
  let reason = '';

  const ask = () => {
    asked = performance.now();
    live.dispatchEvent(new Event('refresh'));
  };

  const speak = () => {
    const ago = Math.round((Date.now() - answeredAt.getTime()) / 1000);
    bar.textContent = `${reason} What you see is from ${answeredAt.toLocaleTimeString()}, ${ago} s ago.`;
  };

  const silent = (why) => {
    reason = why;
    document.body.classList.add('stale');
    bar.hidden = false;
    speak();
  };

  const heard = () => {
    answered = performance.now();
    answeredAt = new Date();
    document.body.classList.remove('stale');
    bar.hidden = true;
  };

  const sentence = (xhr) => {
    const page = new DOMParser().parseFromString(xhr.responseText || '', 'text/html');
    const text = page.querySelector('.message strong');
    return text ? text.textContent : 'No answer from the router.';
  };

  document.body.addEventListener('htmx:afterOnLoad', (event) => {
    if (event.detail.xhr.status === 200) heard();
  });
  document.body.addEventListener('htmx:responseError', (event) => silent(sentence(event.detail.xhr)));
  for (const name of ['htmx:sendError', 'htmx:timeout']) {
    document.body.addEventListener(name, () => silent('No answer from the router.'));
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    if (performance.now() - answered > patience) document.body.classList.add('stale');
    answered = Math.max(answered, performance.now() - every);
    ask();
  });

  setInterval(() => {
    if (document.hidden) return;
    const now = performance.now();
    if (now - answered > patience && bar.hidden) silent('No answer from the router.');
    if (!bar.hidden) speak();
    if (now - asked >= every) ask();
  }, 500);
})();
