// The same function for a bare Piscina.
export default async value => value + 1
