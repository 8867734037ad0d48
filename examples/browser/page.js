import './telemetry.js';

document.querySelector('#load').addEventListener('click', async () => {
  const list = document.querySelector('#customers');
  const answer = await fetch('/customers');
  const customers = await answer.json();
  list.replaceChildren(...customers.map(({ name }) => {
    const item = document.createElement('li');
    item.textContent = name;
    return item;
  }));
});
