export const same = xs => xs

export function addOne(xs) {
  for (let index = 0; index < xs.length; index++) xs[index] += 1
  return xs
}

export const lookUp = ({ rows, key }) => rows[key].value
