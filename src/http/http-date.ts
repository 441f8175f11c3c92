let dateText = '';
let dateSecond = 0;

/** Now as an IMF-fixdate (RFC 9110 §5.6.7), formatted once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
